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

{#- The fields that are blank though the pair file says `required`, in words, or NULL. -#}
{% macro lacking() -%}
nullif(concat_ws(
    ', ',
    NULL
    {%- for place, field in sent if field.required %},
    CASE WHEN coalesce(f.cells[{{ place }}], {{ field.fallback | literal }}) IS NULL THEN {{ field.name | literal }} END
    {%- endfor %}

), '')
{%- endmacro %}

{#- The fields, as a list, of which nothing is sent though `side` is known to refuse a new record without. `cells` is SQL for the
    list of what is sent. A field that does not travel there is not sent either. -#}
{% macro refused_without(side, cells) -%}
{% set travelling = sent | map('first') | list %}
list_filter(
    [
        NULL::VARCHAR
        {%- for field in fields %}{% if side in field.required_by %},
        CASE WHEN {{ cells ~ '[' ~ loop.index ~ '] IS NULL' if loop.index in travelling else 'true' }} THEN {{ field.name | literal }} END
        {%- endif %}{% endfor %}

    ],
    lambda name: name IS NOT NULL
)
{%- endmacro %}
