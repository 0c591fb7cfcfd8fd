{#- The question whether a record is another's by now. -#}
{% macro question(link_id) -%}
md5('stranger' || chr(31) || {{ link_id }})[1:20]
{%- endmacro %}

{#- An answer is about the two records as they were shown: `a` and `g`. -#}
{% macro shown() -%}
md5(concat_ws(chr(31), a.digest, g.digest))[1:20]
{%- endmacro %}
