-- query (side, kind, count): how many contacts get, or lose, just the same tags: one request may serve many of them
SELECT
    side,
    kind,
    count(*) AS count
FROM planned
WHERE entity = 'tag'
GROUP BY side, kind, after
ORDER BY count
