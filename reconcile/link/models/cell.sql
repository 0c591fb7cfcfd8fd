-- cell_{e}_{s}: a row that is looked into, with its canonical cells
--
-- Or, with the cells that records may be known by, known_{e}_{s}. `slow` are the places of the fields of which Python made
-- some values canonical.
{% macro excluded() -%}
{% for each in filters %}
coalesce(cells[{{ each.place }}], '') {{ 'NOT IN' if each.negated else 'IN' }} ({{ each.words | map('literal') | join(', ') }})
{{ 'OR' if not loop.last }}
{% else %}
false
{% endfor %}
{%- endmacro %}
CREATE OR REPLACE TABLE {{ into }} AS
WITH whole AS (
    {% if slow %}
    SELECT
        c.* REPLACE (
            [
                {% for place in range(1, fields | length + 1) %}
                {% if place in slow %}
                CASE
                    WHEN starts_with(c.cells[{{ place }}], {{ undone }}) THEN s{{ place }}.cell
                    ELSE c.cells[{{ place }}]
                END{{ ',' if not loop.last }}
                {% else %}
                c.cells[{{ place }}]{{ ',' if not loop.last }}
                {% endif %}
                {% endfor %}
            ] AS cells
        )
    FROM rough_{{ entity }}_{{ side }} AS c
    {% for place in slow %}
    LEFT JOIN slow_{{ entity }}_{{ side }} AS s{{ place }}
        ON s{{ place }}.place = {{ place }} AND c.cells[{{ place }}] = s{{ place }}.raw
    {% endfor %}
    {% else %}
    FROM rough_{{ entity }}_{{ side }}
    {% endif %}
)

SELECT
    -- left out by a rule of the pair file, or of another kind than the constant of a field says
    * REPLACE ({{ excluded() }} AS excluded)
FROM whole;
