{#- Whether a raw column (r) holds a value; a false is none: a side may leave out what is not set. -#}
{% macro has_value(place) -%}
(coalesce(r.r{{ place }}, '') NOT IN ('', '[]', '{}', 'null', 'false'))
{%- endmacro %}
