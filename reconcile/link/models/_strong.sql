{#- SQL (key) for the records that are known by something under one of the rules before the one at hand; none where it is the first. -#}
{% from 'link/models/_identities.sql' import identities with context %}
{% macro strong(side, rows) -%}
{% for each in earlier %}
SELECT key FROM ({{ identities(each, side, [], rows) }})
{{ 'UNION' if not loop.last }}
{% else %}
SELECT NULL::VARCHAR AS key WHERE false
{% endfor %}
{%- endmacro %}
