-- query (rule, linked, in doubt): how many new links each rule gave, and how many records it left in doubt
WITH linked AS (
    SELECT
        how AS rule,
        count(*) AS many
    FROM found_{{ entity }}
    GROUP BY how
),

in_doubt AS (
    SELECT
        rule,
        count(DISTINCT row(side, key)) AS many
    FROM unsure_{{ entity }}
    WHERE kind NOT IN ('excluded', 'erased') AND NOT starts_with(rule, {{ likeness | literal }})
    GROUP BY rule
)

SELECT
    coalesce(l.rule, d.rule) AS rule,
    coalesce(l.many, 0) AS linked,
    coalesce(d.many, 0) AS in_doubt
FROM linked AS l
FULL JOIN in_doubt AS d ON l.rule = d.rule
ORDER BY linked DESC, rule
