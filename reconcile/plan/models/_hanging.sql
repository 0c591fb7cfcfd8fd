{#- What an answer about a strayed task or note is given for; `a` and `g` are its raw rows. -#}

{#- To leave the two alone holds while they hang where they do. -#}
{% macro place() -%}
md5(concat_ws(chr(31), a.parent, g.parent))[1:20]
{%- endmacro %}

{#- An answer that writes is about the two records as they were shown. -#}
{% macro digest() -%}
{{ place() }} || '-' || md5(concat_ws(chr(31), a.digest, g.digest))[1:20]
{%- endmacro %}
