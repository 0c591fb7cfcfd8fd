-- into passed: records that a rule leaves out, or a constant of the pair
INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    c.key,
    'excluded' AS class,
    CASE
        {% for place, constant, because in constants %}
        WHEN c.cells[{{ place }}] <> {{ constant | literal }} THEN {{ because | literal }}
        {% endfor %}
        WHEN c.excluded THEN 'left out by an exclude rule'
    END AS because
FROM cell_{{ entity }}_{{ side }} AS c
SEMI JOIN unlinked_{{ entity }}_{{ side }} AS u USING (key)
WHERE c.excluded;
