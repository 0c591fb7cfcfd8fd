{#- Whether the side's own answer shows that it stores what was written; an answer without the field says nothing against it. -#}
{% from 'report/models/_items.sql' import items_of %}
{% macro stored() -%}
(CASE
    WHEN item IS NULL
        THEN NOT json_exists(outcome, '$.after."' || field || '"') OR {{ reply() }} IS NOT DISTINCT FROM value
    ELSE list_contains({{ items_of(reply()) }}, item) = (value IS NOT NULL)
END)
{%- endmacro %}

{% macro reply() -%}
json_extract_string(outcome, '$.after."' || field || '"')
{%- endmacro %}
