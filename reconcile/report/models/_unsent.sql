{#- The cells of an operation without those that waited for what they name; of nearly all operations that is none. -#}
{% macro without(cells, unsent) -%}
CASE
    WHEN {{ unsent }} IS NULL THEN {{ cells }}
    ELSE json_merge_patch({{ cells }}, '{' || array_to_string(list_transform({{ unsent }}, lambda x: to_json(x) || ':null'), ',') || '}')
END
{%- endmacro %}
