-- query (tag, app, ghl): how many looked-at contacts of each side have a tag
WITH tagged AS (
    SELECT
        'app' AS side,
        {{ cell }} AS tags
    FROM cell_{{ entity }}_app
    WHERE {{ cell }} IS NOT NULL
    UNION ALL
    SELECT
        'ghl' AS side,
        {{ cell }} AS tags
    FROM cell_{{ entity }}_ghl
    WHERE {{ cell }} IS NOT NULL
),

tag_of AS (
    SELECT
        side,
        unnest(from_json(tags, '["VARCHAR"]')) AS tag
    FROM tagged
)

SELECT
    tag,
    count(*) FILTER (WHERE side = 'app') AS app,
    count(*) FILTER (WHERE side = 'ghl') AS ghl
FROM tag_of
GROUP BY tag
ORDER BY app + ghl DESC, tag
LIMIT {{ most }}
