-- query (entity, side, key, label, class, because): records without a counterpart that nothing is done about, with their names
SELECT *
FROM (
    {% for entity in entities %}
    {% for side in ['app', 'ghl'] %}
    SELECT
        p.entity,
        p.side,
        p.key,
        coalesce(n.label, p.key) AS label,
        p.class,
        p.because
    FROM passed AS p
    LEFT JOIN name_{{ entity }}_{{ side }} AS n USING (key)
    WHERE p.entity = '{{ entity }}' AND p.side = '{{ side }}'
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)
ORDER BY class, entity, side, key
LIMIT {{ most }}
