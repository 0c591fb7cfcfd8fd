-- query (entity, side, kind, count, risky, starts_workflows, opt_ins): how many operations of a kind there are, in their order
SELECT
    entity,
    side,
    kind,
    count(*) AS count,
    count(*) FILTER (risk = 'high') AS risky,
    count(*) FILTER (starts_workflows) AS starts_workflows,
    count(*) FILTER (grounds <> '{}') AS opt_ins
FROM planned
GROUP BY entity, side, kind
ORDER BY min(seq)
