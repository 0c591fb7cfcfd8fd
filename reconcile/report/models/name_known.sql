-- query (key, label): what the report calls records that this run may have had no reason to look at
{% from "report/models/_label.sql" import label %}
SELECT
    key,
    {{ label(name_parts, other_cells, longest) }} AS label
FROM known_{{ entity }}_{{ side }}
