{#- `classes` are the names of the classes, the most urgent first; whatever is not one of them counts as the first: unexplained. -#}
{% macro urgency(name) -%}
coalesce(array_position({{ listed() }}, {{ name }}), 1)
{%- endmacro %}

{% macro class_at(place) -%}
{{ listed() }}[{{ place }}]
{%- endmacro %}

{% macro listed() -%}
[{{ classes | map('literal') | join(', ') }}]
{%- endmacro %}
