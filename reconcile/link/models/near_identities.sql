-- query (rule, identity): what the contacts that are near are known by, by the place of the rule
SELECT DISTINCT
    a.rule,
    a.identity
FROM known_by AS a
SEMI JOIN near AS n ON a.side = n.side AND a.key = n.key
ORDER BY ALL
