-- left_alone: a linked task or note whose other end is gone, with the contact that it hangs on now
CREATE OR REPLACE TABLE left_alone AS
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}
SELECT
    '{{ other }}' AS gone,
    c.key,
    c.cells,
    o.link_id AS parent_link
FROM moved_{{ entity }} AS m
JOIN cell_{{ entity }}_{{ side }} AS c ON m.{{ side }}_key = c.key
JOIN owner AS o ON c.parent = o.{{ side }}_key
WHERE
    m.{{ side }}_state = 'present'
    AND m.{{ other }}_state IN ('absent', 'deleted')
    AND NOT c.excluded
{{ 'UNION ALL BY NAME' if not loop.last }}
{% endfor %};
