{#- JSON objects of cells, written as text. -#}

{#- Of the grouped rows' fields, each with the value of a column; a blank one is null. -#}
{% macro gathered(column, among='') -%}
'{' || string_agg(to_json(field) || ':' || coalesce(to_json({{ column }}), 'null'), ',' ORDER BY field) {{ among }} || '}'
{%- endmacro %}

{#- Of the fields that are not blank in a list of cells; `places` are (place in the list, field). -#}
{% macro members(cells, places) -%}
'{' || concat_ws(
    ',',
    NULL
    {%- for place, field in places | sort(attribute='1.name', case_sensitive=true) %},
    to_json({{ field.name | literal }}) || ':' || to_json({{ cells }}[{{ place }}])
    {%- endfor %}

) || '}'
{%- endmacro %}
