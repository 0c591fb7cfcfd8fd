-- astray: a linked task or note that hangs on another contact than its link's, with the contact that it hangs on now
--
-- It was moved, or it is another record by now, which has its key: a backup that was put back gives keys away once more.
CREATE OR REPLACE TABLE astray AS
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}
SELECT
    '{{ other }}' AS across,
    c.key,
    c.cells,
    o.link_id AS parent_link
FROM moved_{{ entity }} AS m
JOIN cell_{{ entity }}_{{ side }} AS c ON m.{{ side }}_key = c.key
JOIN owner AS o ON c.parent = o.{{ side }}_key
WHERE o.link_id <> m.parent AND m.app_state = 'present' AND m.ghl_state = 'present'
{{ 'UNION ALL BY NAME' if not loop.last }}
{% endfor %};
