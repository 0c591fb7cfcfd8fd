-- query (filled): of each raw column, in order, whether any row has a value in it
{% from 'compare/models/_filled.sql' import has_value %}
SELECT
    [
        {% for place in range(columns) %}
        bool_or({{ has_value(place) }}){{ '' if loop.last else ',' }}
        {% endfor %}
    ] AS filled
FROM raw_{{ entity }}_{{ side }} AS r
