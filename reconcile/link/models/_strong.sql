{#- SQL (key) for the records that are known by something under one of the rules before the one at hand; NULL without one. -#}
{% from 'link/models/_identities.sql' import identities with context %}
{% macro strong(side, rows) -%}
{% for each in earlier %}
SELECT key FROM ({{ identities(each, side, [], rows) }})
{{ 'UNION' if not loop.last }}
{% else %}
NULL
{% endfor %}
{%- endmacro %}
