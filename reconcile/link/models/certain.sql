-- query (hold_id, values_digest): questions about a contact that is gone, of which nothing but a merge explains it
--
-- One survivor without a link of its own, that has every identity of the lost one, one of them as a further value; and the
-- side itself marks the lost one as deleted or said, asked by key, that it is gone.
WITH single AS (
    SELECT
        link_id,
        side,
        min(key) AS key,
        count(DISTINCT rule) AS rules
    FROM survivor_{{ entity }}
    GROUP BY link_id, side
    HAVING count(DISTINCT key) = 1 AND bool_or(further) AND NOT bool_or(linked)
)

SELECT
    a.hold_id,
    a.values_digest
FROM absence_{{ entity }} AS a
JOIN single AS v ON a.link_id = v.link_id AND a.gone = v.side AND a.survivor = v.key
WHERE
    a.action = 'hold'
    AND a.undone IS NULL
    AND CASE a.gone
        WHEN 'app' THEN a.app_state = 'deleted' OR a.app_key IN (FROM proven_{{ entity }}_app)
        ELSE a.ghl_state = 'deleted' OR a.ghl_key IN (FROM proven_{{ entity }}_ghl)
    END
    AND v.rules = (
        0
        {% for name in names %}
        + (a.cells ->> {{ name | literal }} IS NOT NULL)::INTEGER
        {% endfor %}
    )
ORDER BY ALL
