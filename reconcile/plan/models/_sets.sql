{#-
Of a set that is decided by element and written as a whole: what the target has, with the elements that it lacks added and
those removed that it shall lose. What is still in question stays as each side has it.
-#}
{% macro cells(side, row) -%}
list_extract(CASE WHEN w.{{ side }}_echo THEN b.{{ side }} ELSE {{ row }}.cells END, s.place)
{%- endmacro %}
{% set names = fields | map(attribute='name') | map('literal') | join(', ') %}
due_item AS (
    SELECT
        link_id,
        field,
        item,
        because,
        kind,
        CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN app ELSE ghl END IS NOT NULL AS adds
    FROM judged_{{ entity }}
    WHERE action = 'agree' AND item IS NOT NULL AND field <> 'tags'
),

changed_set AS (
    SELECT
        link_id,
        field,
        target,
        list_position([{{ names }}], field) AS place,
        bool_or(kind = 'conflict') AS contested,
        string_agg(DISTINCT because, '; ' ORDER BY because) AS because,
        coalesce(list(item) FILTER (adds), []) AS added,
        coalesce(list(item) FILTER (NOT adds), []) AS removed
    FROM due_item
    GROUP BY link_id, field, target
),

-- A side whose row is an echo was compared as its baseline.
both_ends AS (
    SELECT
        s.* EXCLUDE (place),
        {{ cells('app', 'a') }} AS app,
        {{ cells('ghl', 'g') }} AS ghl
    FROM changed_set AS s
    JOIN wide_{{ entity }} AS w USING (link_id)
    JOIN cell_{{ entity }}_app AS a ON w.app_key = a.key
    JOIN cell_{{ entity }}_ghl AS g ON w.ghl_key = g.key
    LEFT JOIN basecell_{{ entity }} AS b USING (link_id)
),

whole_set AS (
    SELECT
        * EXCLUDE (app, ghl),
        CASE target WHEN 'app' THEN app ELSE ghl END AS previous,
        CASE target WHEN 'app' THEN ghl ELSE app END AS across,
        list_filter(
            coalesce(from_json(CASE target WHEN 'app' THEN app ELSE ghl END, '["VARCHAR"]'), []),
            lambda x: NOT list_contains(removed, x)
        ) AS remaining
    FROM both_ends
),

due_set AS (
    SELECT
        link_id,
        field,
        target,
        because,
        contested,
        previous,
        nullif(to_json(list_sort(list_concat(remaining, added)))::VARCHAR, '[]') AS new_value,
        coalesce(across, '[]') AS across
    FROM whole_set
),

