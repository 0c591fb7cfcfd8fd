-- query (tag, contacts): what a plan puts on contacts of GHL
WITH tagged AS (
    SELECT unnest(from_json(json_extract_string(after, '$.tags'), '["VARCHAR"]')) AS tag
    FROM planned
    WHERE side = 'ghl' AND kind IN ('create', 'add_tags')
)

SELECT
    tag,
    count(*) AS contacts
FROM tagged
GROUP BY tag
ORDER BY contacts DESC, tag
