-- query ({{ selected | join(', ') }}): the values in some classes, the most urgent first
{% from 'report/models/_classes.sql' import urgency with context %}
SELECT {{ selected | join(', ') }}
FROM (
    {% for entity in entities %}
    SELECT
        '{{ entity }}' AS entity,
        v.field,
        v.class,
        v.because,
        coalesce(a.label, g.label, v.app_key, v.ghl_key) AS label,
        v.app_key,
        v.ghl_key,
        v.app,
        v.ghl,
        {{ urgency('v.class') }} AS place
    FROM value_{{ entity }} AS v
    LEFT JOIN name_{{ entity }}_app AS a ON v.app_key = a.key
    LEFT JOIN name_{{ entity }}_ghl AS g ON v.ghl_key = g.key
    WHERE v.class IN ({{ listed_classes | map('literal') | join(', ') }})
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)
ORDER BY place, entity, label, app_key, ghl_key, field
LIMIT {{ most }}
