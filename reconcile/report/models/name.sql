-- name_{e}_{s}: what the report calls a looked-at record, and under which contact it is
{% from "report/models/_label.sql" import label %}
CREATE OR REPLACE TABLE name_{{ entity }}_{{ side }} AS
SELECT DISTINCT ON (key)
    key,
    {{ label(name_parts, other_cells, longest) }} AS label,
    parent AS under
FROM cell_{{ entity }}_{{ side }};
