{#- A side's baseline as the present codecs give it: `x` is its row of `aged`, {side}_row the row that the side shows. -#}
{% macro renewed(side) -%}
CASE
    WHEN x.link_id IS NULL THEN b.{{ side }}
    WHEN x.{{ side }}_same THEN {{ side }}_row.cells
    {% if changed[side] %}
    ELSE [
        {% for place in range(1, fields | length + 1) %}
        {% if place in changed[side] %}
        CASE WHEN {{ side }}{{ place }}.was IS NULL THEN b.{{ side }}[{{ place }}] ELSE {{ side }}{{ place }}.now END
        {% else %}
        b.{{ side }}[{{ place }}]
        {% endif %}
        {{ ',' if not loop.last }}
        {% endfor %}
    ]
    {% else %}
    ELSE b.{{ side }}
    {% endif %}
END
{%- endmacro %}
