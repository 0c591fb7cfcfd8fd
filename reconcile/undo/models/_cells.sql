{#- A baseline's cells of a side, as a list: archived where the link had moved then (`k`), else what the snapshot showed. -#}
{% macro cells(side, row) -%}
[
    {% for field in fields %}
    {{ cell(side, row, loop.index, field) }}{{ '' if loop.last else ',' }}
    {% endfor %}
]
{%- endmacro %}

{% macro cell(side, row, place, field) -%}
{% set shown = row ~ '.cells[' ~ place ~ ']' if field.same[side] else 'NULL::VARCHAR' %}
{% if field.place is none -%}
NULL::VARCHAR
{%- elif archived -%}
CASE WHEN k.link_id IS NOT NULL THEN k.{{ side }}[{{ field.place }}] ELSE {{ shown }} END
{%- else -%}
{{ shown }}
{%- endif %}
{%- endmacro %}
