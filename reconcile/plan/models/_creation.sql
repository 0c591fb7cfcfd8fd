{#- What a create on the other side is made of, over a row `f` of cell_{e}_{s}. `sent` are (place, field) of what travels. -#}

{#- The cells as they are sent: the fallback where one is blank or not well-formed, which stays unreadable all the same.
    `faults` is SQL for the list of the row's fields that cannot be read, NULL where it has none, or nothing. -#}
{% macro filled(faults='') -%}
{%- if not faults and not fields | selectattr('fallback', 'ne', none) | list and not fields | selectattr('rule.consent') | list -%}
f.cells
{%- else -%}
[
    {% for field in fields %}
    {% set cell = 'f.cells[' ~ loop.index ~ ']' %}
    {% if faults %}
    {% set cell = 'CASE WHEN ' ~ faults ~ ' IS NULL OR NOT list_contains(' ~ faults ~ ', ' ~ field.name | literal ~ ') THEN ' ~ cell ~ ' END' %}
    {% endif %}
    {% if field.rule.consent %}
    {% set cell = "CASE WHEN " ~ cell ~ " = 'permanent' THEN 'denied' ELSE " ~ cell ~ ' END' %}
    {% endif %}
    {% if field.fallback is not none %}
    {% set cell = 'coalesce(' ~ cell ~ ', ' ~ field.fallback | literal ~ ')' %}
    {% endif %}
    {{ cell }}{{ '' if loop.last else ',' }}
    {% endfor %}
]
{%- endif -%}
{%- endmacro %}

{#- The required fields that are blank, in words, or NULL. -#}
{% macro lacking() -%}
nullif(concat_ws(
    ', ',
    NULL
    {%- for place, field in sent if field.required %},
    CASE WHEN coalesce(f.cells[{{ place }}], {{ field.fallback | literal }}) IS NULL THEN {{ field.name | literal }} END
    {%- endfor %}

), '')
{%- endmacro %}
