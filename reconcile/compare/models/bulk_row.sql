-- query (parent, modified_at, filled): the raw row of a key, with whether each of its columns holds a value
{% from 'compare/models/_filled.sql' import has_value %}
SELECT
    r.parent,
    r.modified_at,
    [
        {% for place in range(columns) %}
        {{ has_value(place) }}{{ '' if loop.last else ',' }}
        {% endfor %}
    ] AS filled
FROM raw_{{ entity }}_{{ side }} AS r
WHERE r.key = $1
