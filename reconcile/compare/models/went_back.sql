-- query (hold_id, values_digest): the questions about values that went back, and for which the other side's value is right
{% from 'compare/models/_answers.sql' import shown_values %}
SELECT
    {{ hold_id('conflict', entity, 'd.link_id', 'd.field', "coalesce(d.item, '')") }} AS hold_id,
    {{ shown_values('d') }} AS values_digest
FROM delta_{{ entity }} AS d
JOIN rewound AS r ON r.entity = '{{ entity }}' AND r.side = '{{ side }}' AND d.link_id = r.link_id
WHERE d.kind = '{{ side }}_moved' AND (d.item IS NOT NULL OR d.{{ other }} IS NOT NULL)
ORDER BY ALL
