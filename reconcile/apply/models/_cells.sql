{#- What a side showed of a link, as JSON without nulls; of what is pending the baseline stays.
    Put together as text: json_object, and a patch that drops its nulls, takes 1.4 times as long (measured). -#}
{% macro cells(side) -%}
'{' || concat_ws(
    ','
    {%- for field in fields %}
    {%- set shown = side ~ '[' ~ loop.index ~ ']' %}
    {%- set known = 'base_' ~ side ~ '[' ~ loop.index ~ ']' %},
    {{ (field.name | tojson ~ ':') | literal }} || to_json(
        {% if field.by_item %}
        CASE
            WHEN items IS NULL THEN {{ shown }}
            WHEN len({{ united(field.name, shown, known) }}) > 0
                THEN to_json({{ united(field.name, shown, known) }})::VARCHAR
        END
        {% else %}
        CASE WHEN list_contains(fields, {{ field.name | literal }}) THEN {{ known }} ELSE {{ shown }} END
        {% endif %}
    )::VARCHAR
    {%- endfor %}

) || '}'
{%- endmacro %}

{#- Of a set: the items that a side showed, and those that are pending as the baseline has them. -#}
{% macro united(name, shown, known) -%}
list_sort(list_distinct(list_concat(
    list_filter({{ items_of(shown) }}, lambda x: NOT {{ pending(name) }}),
    list_filter({{ items_of(known) }}, lambda x: {{ pending(name) }})
)))
{%- endmacro %}

{% macro items_of(cell) -%}
coalesce(from_json({{ cell }}, '["VARCHAR"]'), [])
{%- endmacro %}

{% macro pending(name) -%}
coalesce(list_contains(items, {{ name | literal }} || chr(31) || x), false)
{%- endmacro %}
