-- changes judged_{e}: of elements that were refused together, the first is sent by itself; the rest of its set waits for a later run
--
-- A set is written as a whole: which of its elements a side does not take is found out one by one.
WITH due AS (
    SELECT
        j.link_id,
        j.field,
        j.item,
        CASE j.winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        r.code IS NOT NULL AS among
    FROM judged_{{ entity }} AS j
    LEFT JOIN difference_{{ entity }} AS r
        ON
            j.link_id = r.link_id
            AND j.field = r.field
            AND j.item = r.item
            AND r.kind = 'rejected'
            AND r.code = {{ among | literal }}
            AND r.current
            AND CASE j.winner WHEN 'app' THEN 'ghl' ELSE 'app' END = r.side
            AND CASE j.winner WHEN 'app' THEN j.app ELSE j.ghl END IS NOT DISTINCT FROM r.sent
    WHERE j.action = 'agree' AND j.item IS NOT NULL
),

first AS (
    SELECT
        link_id,
        field,
        target,
        min(item) AS item
    FROM due
    WHERE among
    GROUP BY link_id, field, target
)

UPDATE judged_{{ entity }} AS j
SET
    action = 'unsyncable',
    because = CASE f.target WHEN 'ghl' THEN 'GHL' ELSE 'the app' END
    || ' refused a write of more than one element, and does not say which it does not take: '
    || f.item || ' is tried by itself first, this one in a later run'
FROM first AS f
WHERE
    f.link_id = j.link_id
    AND f.field = j.field
    AND f.target = CASE j.winner WHEN 'app' THEN 'ghl' ELSE 'app' END
    AND j.action = 'agree'
    AND j.item <> f.item;
