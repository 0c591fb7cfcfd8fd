-- into hold: whether a record is another's under the same key
INSERT INTO hold BY NAME
SELECT
    s.hold_id,
    'another' AS kind,
    '{{ entity }}' AS entity,
    s.link_id AS subject,
    s.side,
    s.app_key,
    s.ghl_key,
    'everything that it was known by changed at once in '
    || CASE s.side WHEN 'app' THEN 'the app' ELSE 'GHL' END
    || ' (' || {{ known_by | map(attribute='1') | join(', ') | literal }} || '): another '
    || '{{ 'person' if entity.spec.person else entity }} under the same key?' AS because,
    ['same', 'unlink'] AS options,
    json_object(
        {% for place, name in known_by %}
        {{ (name ~ ': before') | literal }}, (CASE s.side WHEN 'app' THEN b.app ELSE b.ghl END)[{{ place }}],
        {{ (name ~ ': app') | literal }}, a.cells[{{ place }}],
        {{ (name ~ ': ghl') | literal }}, g.cells[{{ place }}]{{ '' if loop.last else ',' }}
        {% endfor %}
    ) AS "values",
    s.values_digest
FROM stranger_{{ entity }} AS s
JOIN basecell_{{ entity }} AS b USING (link_id)
JOIN cell_{{ entity }}_app AS a ON s.app_key = a.key
JOIN cell_{{ entity }}_ghl AS g ON s.ghl_key = g.key
WHERE s.action = 'ask';
