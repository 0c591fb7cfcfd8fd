{#- The items of a set's cell, as a list. -#}
{% macro items_of(cell) -%}
coalesce(from_json({{ cell }}, '["VARCHAR"]'), [])
{%- endmacro %}

{#- A value of which items were judged: the items that a side has, as text. -#}
{% macro together(side) -%}
CASE WHEN count(item) = 0 THEN any_value({{ side }}) ELSE string_agg({{ side }}, ', ' ORDER BY item) END
{%- endmacro %}
