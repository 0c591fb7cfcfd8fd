-- query (key, parent): missing records of a side that something would be done about
SELECT
    x.{{ side }}_key AS key,
    {{ 'o.' ~ side ~ '_key' if child else 'NULL' }} AS parent
FROM absence_{{ entity }} AS x
{% if child %}
LEFT JOIN owner AS o ON x.parent = o.link_id
{% endif %}
WHERE x.{{ side }}_state = 'absent' AND x.action IN ('mirror', 'archive', 'hold', 'forget')
ORDER BY x.{{ side }}_key
