{#- The rows of a side that hold, in a field, one of the values in a column of `wanted`: (new_value, key). -#}
{% macro holders(holder, wanted, column) -%}
{% if holder.blur %}
-- Of a link that did not move there are no cells; every row has its blurs, which are equal wherever canonical forms are. A row
-- that merely looks alike makes a write of its own at worst.
SELECT DISTINCT
    v.new_value,
    r.key
FROM (SELECT DISTINCT {{ column }} AS new_value FROM {{ wanted }}) AS v
JOIN blur_{{ entity }}_{{ holder.side }} AS b ON b.k{{ holder.place }} = {{ holder.blur }}
JOIN raw_{{ entity }}_{{ holder.side }} AS r ON b.row = r.digest AND NOT coalesce(r.deleted, false)
{%- else %}
SELECT
    cells[{{ holder.place }}] AS new_value,
    key
FROM cell_{{ entity }}_{{ holder.side }}
WHERE cells[{{ holder.place }}] IS NOT NULL
{%- endif %}
{%- endmacro %}
