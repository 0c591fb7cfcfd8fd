-- query (link_id, field, item): differences of the register that this run did not find so any more
--
-- Of links that were compared: what is equal by now is no difference, and what moved is another one. What was refused is due,
-- and not standing: it is the same as long as both sides show what they showed.
WITH compared AS (
    SELECT
        d.*,
        j.kind AS kind_now,
        CASE d.side WHEN 'ghl' THEN j.app ELSE j.ghl END AS sent_now,
        CASE d.side WHEN 'ghl' THEN j.ghl ELSE j.app END AS stored_now
    FROM difference_{{ entity }} AS d
    JOIN wide_{{ entity }} AS w ON d.link_id = w.link_id AND NOT w.excluded
    LEFT JOIN judged_{{ entity }} AS j
        ON d.link_id = j.link_id AND d.field = j.field AND d.item = coalesce(j.item, '')
)

SELECT
    link_id,
    field,
    item
FROM compared
WHERE
    NOT coalesce(current, false)
    OR kind_now IS NULL
    OR (
        (kind_now <> 'standing' OR kind = 'rejected')
        AND (sent_now IS DISTINCT FROM sent OR stored_now IS DISTINCT FROM stored)
    )
ORDER BY ALL
