-- query (key, parent): missing records of a side that something would be done about
SELECT
    x.{{ side }}_key AS key,
    {{ 'o.' ~ side ~ '_key' if entity.parent else 'NULL' }} AS parent
FROM absence_{{ entity }} AS x
{% if entity.parent %}
LEFT JOIN owner AS o ON x.parent = o.link_id
{% endif %}
WHERE x.{{ side }}_state = 'absent' AND x.action IN ('mirror', 'archive', 'hold', 'forget')
ORDER BY x.{{ side }}_key
