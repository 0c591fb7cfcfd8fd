-- query (links, standing): how many links did not move, and how many values of them are known to differ
--
-- Not from value_{e}: what got lost there must be missed here.
WITH standing AS (
    SELECT
        link_id,
        count(*) AS many
    FROM standing_{{ entity }}
    GROUP BY link_id
)

SELECT
    count(*) AS links,
    coalesce(sum(s.many), 0)::BIGINT AS standing
FROM tie_{{ entity }} AS t
ANTI JOIN moved_{{ entity }} AS m ON t.link_id = m.link_id
LEFT JOIN standing AS s ON t.link_id = s.link_id
WHERE
    NOT t.fresh
    AND t.paired
    AND t.app_state = 'present'
    AND t.ghl_state = 'present'
