-- into turned_{e}: the values of one field, of links whose cells `links` puts side by side
INSERT INTO turned_{{ entity }} BY NAME
WITH answered AS (
    SELECT
        f.link_id,
        json_extract_string(arg_max(o.outcome, f.seq), '$.after.{{ field | quoted }}') AS now
    FROM fate AS f
    JOIN outcome AS o ON f.op_id = o.op_id
    WHERE f.entity = '{{ entity }}' AND f.side = '{{ side }}' AND f.fate IN ('done', 'value_dropped') AND f.kind IN ('update', 'complete')
    GROUP BY f.link_id
)

SELECT
    l.link_id,
    l.app_key,
    l.ghl_key,
    {{ field | literal }} AS field,
    a.now AS {{ side }},
    l.{{ other }}[{{ place }}] AS {{ other }},
    l.{{ side }}[{{ place }}] IS NOT DISTINCT FROM l.{{ other }}[{{ place }}] AS was_equal
FROM ({{ links }}) AS l
JOIN answered AS a ON l.link_id = a.link_id
WHERE a.now IS DISTINCT FROM l.{{ side }}[{{ place }}];
