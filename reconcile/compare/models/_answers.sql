{#- What answers of people are given for, and how they are told. -#}

{#- A conflict's answer counts as long as both sides hold the two values that were shown. -#}
{% macro shown_values(row) -%}
md5(coalesce('=' || {{ row }}.app, '-') || chr(31) || coalesce('=' || {{ row }}.ghl, '-'))[1:20]
{%- endmacro %}

{#- The sentence for what a person decided; `row` is one of `decision`. -#}
{% macro decided(row) -%}
'decided by ' || {{ row }}."by" || coalesce(': ' || nullif({{ row }}.reason, ''), '')
{%- endmacro %}

{#- The side that an answer names; of a consent it says yes or no, whichever side that is. -#}
{% macro chosen_side(answer, row) -%}
CASE
    WHEN {{ answer }}.choice IS NULL THEN NULL
    WHEN {{ answer }}.choice NOT IN ('allow', 'deny') THEN {{ answer }}.choice
    WHEN ({{ answer }}.choice = 'allow') = coalesce({{ row }}.app = 'allowed', false) THEN 'app'
    ELSE 'ghl'
END
{%- endmacro %}

{#- What a question about a value shows, as members of a JSON object: what each side holds, and last held. -#}
{% macro four_values(row) -%}
'base_app', {{ row }}.base_app, 'base_ghl', {{ row }}.base_ghl, 'app', {{ row }}.app, 'ghl', {{ row }}.ghl
{%- endmacro %}
