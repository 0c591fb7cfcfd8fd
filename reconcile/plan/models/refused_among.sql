-- query (link_id, field, target): values that were refused together with others, and are the same still: each is sent by itself
SELECT DISTINCT
    j.link_id,
    j.field,
    r.side AS target
FROM judged_{{ entity }} AS j
JOIN difference_{{ entity }} AS r
    ON
        j.link_id = r.link_id
        AND j.field = r.field
        AND r.item = coalesce(j.item, '')
        AND r.kind = 'rejected'
        AND r.code = {{ among | literal }}
        AND r.current
        AND CASE j.winner WHEN 'app' THEN 'ghl' ELSE 'app' END = r.side
        AND CASE j.winner WHEN 'app' THEN j.app ELSE j.ghl END IS NOT DISTINCT FROM r.sent
WHERE j.action = 'agree'
ORDER BY ALL
