-- query (key): the records with the most values
{% from 'compare/models/_filled.sql' import has_value %}
SELECT r.key
FROM raw_{{ entity }}_{{ side }} AS r
WHERE NOT r.deleted
ORDER BY
    {% for place in range(columns) %}
    {{ has_value(place) }}::INTEGER{{ ' DESC' if loop.last else ' +' }}
    {%- endfor %},
    r.key
LIMIT {{ most }}
