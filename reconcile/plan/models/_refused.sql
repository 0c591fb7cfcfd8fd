{#- Why a value, or a record, is not sent again: `a` says on which side it was refused, and which record there has it. -#}
{% macro because() -%}
CASE a.target WHEN 'ghl' THEN 'GHL' ELSE 'the app' END
|| ' refused it, as another record there has it: '
|| coalesce(a.other_key, 'it does not say which one')
|| coalesce(', which is linked with ' || CASE a.target WHEN 'ghl' THEN a.other_app ELSE a.other_ghl END, '')
|| '. Two people: correct the one that has it wrongly, at its source. One person: merge the two. '
|| 'It is sent again when either of the two changes, or on your word'
{%- endmacro %}
