{#- Why a value, or a record, is not sent again: `a` says on which side it was refused, as what, and which record there has it. -#}
{% macro because() -%}
CASE a.target WHEN 'ghl' THEN 'GHL' ELSE 'the app' END
|| CASE WHEN a.shared THEN {{ of_another() }} ELSE {{ no_such_value() }} END
{%- endmacro %}

{% macro no_such_value() -%}
' takes no such value (' || a.code || '). Correct it at its source, or change how the pair file maps it. '
|| 'It is sent again when it changes, or on your word'
{%- endmacro %}

{% macro of_another() -%}
' refused it, as another record there has it: '
|| coalesce(a.other_key, 'it does not say which one')
|| coalesce(', which is linked with ' || CASE a.target WHEN 'ghl' THEN a.other_app ELSE a.other_ghl END, '')
|| '. Two people: correct the one that has it wrongly, at its source. One person: merge the two. '
|| 'It is sent again when either of the two changes, or on your word'
{%- endmacro %}
