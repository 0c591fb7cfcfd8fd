-- into operation: the tags that a contact gets and loses, as what is added and removed
--
-- GHL replaces the whole set in an update, and another program may have added a tag meanwhile.
INSERT INTO operation BY NAME
WITH due AS (
    SELECT
        link_id,
        item,
        because,
        CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN app ELSE ghl END IS NOT NULL AS adds
    FROM judged_{{ entity }}
    WHERE action = 'agree' AND item IS NOT NULL AND field = 'tags'
),

-- Tags with the same reason share a sentence.
reason AS (
    SELECT
        link_id,
        target,
        adds,
        because,
        string_agg(item, ', ' ORDER BY item) AS items
    FROM due
    GROUP BY ALL
)

SELECT
    CASE WHEN adds THEN {{ phases.ADD_TAGS }} ELSE {{ phases.REMOVE_TAGS }} END AS phase,
    CASE WHEN adds THEN 'add_tags' ELSE 'remove_tags' END AS kind,
    'tag' AS entity,
    target AS side,
    link_id,
    CASE target WHEN 'app' THEN w.app_key ELSE w.ghl_key END AS key,
    CASE target WHEN 'app' THEN w.ghl_key ELSE w.app_key END AS source_key,
    json_object(
        'tags',
        (
            SELECT to_json(list_sort(list(d.item)))::VARCHAR
            FROM due AS d
            WHERE d.link_id = reason.link_id AND d.target = reason.target AND d.adds = reason.adds
        )
    ) AS after,
    string_agg(items || ': ' || because, '; ' ORDER BY items) AS because
FROM reason
JOIN wide_{{ entity }} AS w USING (link_id)
GROUP BY link_id, target, adds, w.app_key, w.ghl_key;
