{#- Whether the fields of rows `d` and `o` are a part and what it is a part of, either way round; `joint` has the names. -#}
{% macro together() -%}
(
    false
    {% for part, whole in joint %}
    OR (d.field = {{ part | literal }} AND o.field = {{ whole | literal }})
    OR (d.field = {{ whole | literal }} AND o.field = {{ part | literal }})
    {% endfor %}
)
{%- endmacro %}
