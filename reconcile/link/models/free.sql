-- free_{e}_{s}: a record that is neither linked nor in doubt yet; in the end, an orphan
CREATE OR REPLACE TABLE free_{{ entity }}_{{ side }} AS
{% if entity.parent %}
SELECT
    c.*,
    o.link_id AS parent_link
FROM cell_{{ entity }}_{{ side }} AS c
SEMI JOIN unlinked_{{ entity }}_{{ side }} AS u ON c.key = u.key
LEFT JOIN owner AS o ON c.parent = o.{{ side }}_key
WHERE NOT c.excluded;
{% else %}
SELECT c.key
FROM known_{{ entity }}_{{ side }} AS c
SEMI JOIN unlinked_{{ entity }}_{{ side }} AS u ON c.key = u.key
WHERE NOT c.excluded;
{% endif %}
