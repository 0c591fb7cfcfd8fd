{#- Links that a person's decision took apart before anything was compared: their rows count as unlinked. -#}
{% macro released_links() -%}
{% if released -%}
SELECT link_id FROM released_{{ entity }}
{%- else -%}
SELECT NULL::VARCHAR AS link_id WHERE false
{%- endif %}
{%- endmacro %}

{#- Links whose record a person wants made again on another contact. -#}
{% macro resettled_links() -%}
{% if strayed -%}
SELECT link_id FROM strayed_{{ entity }} WHERE action = 'move'
{%- else -%}
SELECT NULL::VARCHAR AS link_id WHERE false
{%- endif %}
{%- endmacro %}

{#- Links of what a merged contact leaves behind, which is made again on the survivor. -#}
{% macro links_made_again() -%}
{% if again -%}
SELECT link_id FROM made_again_{{ entity }}
{%- else -%}
SELECT NULL::VARCHAR AS link_id WHERE false
{%- endif %}
{%- endmacro %}
