{#- What people call a record: its name, else the value that tells it best, else its key. -#}
{% macro label(name_parts, other_cells, longest) -%}
left(
        regexp_replace(
            coalesce(
                {% if name_parts %}
                nullif(trim(concat_ws(' ', {{ name_parts | join(', ') }})), ''),
                {% endif %}
                {% for cell in other_cells %}
                {{ cell }},
                {% endfor %}
                key
            ),
            '\s+', ' ', 'g'
        ),
        {{ longest }}
    )
{%- endmacro %}
