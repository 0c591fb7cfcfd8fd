-- into operation: records that are created on the other side
{% from 'plan/models/_json.sql' import members %}
INSERT INTO operation BY NAME
SELECT
    {{ phases.CREATE }} AS phase,
    'create' AS kind,
    '{{ entity }}' AS entity,
    '{{ other }}' AS side,
    coalesce(m.link_id, x.link_id) AS link_id,
    x.key AS source_key,
    x.parent,
    x.parent_key,
    {{ members('x.cells', fields) }} AS source,
    {{ members('x.filled', sent) }} AS after,
    coalesce(
        'decided by ' || w."by" || ': create',
        'exists only in {{ side_label }}; no record of {{ other_label }} has the same identity'
    )
    || coalesce('; not sent: ' || x.left_out, '') AS because
FROM orphan_{{ side }} AS x
LEFT JOIN wanted_{{ entity }} AS w ON w.side = '{{ side }}' AND x.key = w.key
LEFT JOIN made_again_{{ entity }} AS m ON m.side = '{{ other }}' AND x.key = m.survivors
WHERE x.class = 'create';
