-- query (entity, side, kind, count, risky, starts_workflows): how many operations of a kind there are, in their order
SELECT
    entity,
    side,
    kind,
    count(*) AS count,
    count(*) FILTER (risk = 'high') AS risky,
    count(*) FILTER (starts_workflows) AS starts_workflows
FROM planned
GROUP BY entity, side, kind
ORDER BY min(seq)
