{#- Whether a snapshot speaks of an end of link `b`, which hangs on contact `o`: then a missing row is an absent record. -#}
{% macro covered(side) -%}
{% if snapshots[side].complete and not snapshots[side].partial -%}
true
{%- elif not snapshots[side].partial -%}
false
{%- else -%}
{{ 'o' if entity.parent and not snapshots[side].spanned else 'b' }}.{{ side }}_key IN (SELECT key FROM cover_{{ entity }}_{{ side }})
{%- endif %}
{%- endmacro %}
