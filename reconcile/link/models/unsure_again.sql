-- into unsure_{e}: what earlier runs asked about for its likeness, as long as both records are there without a counterpart
--
-- What a person said to ignore stays out of the plan with all its candidates.
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}
INSERT INTO unsure_{{ entity }} BY NAME
WITH across AS (SELECT list(key) AS keys FROM free_{{ entity }}_{{ other }}),

asked AS (
    SELECT
        key,
        rule,
        ignored,
        from_json(candidates, '["VARCHAR"]') AS candidates
    FROM asked_before
    WHERE side = '{{ side }}' AND key IN (SELECT key FROM free_{{ entity }}_{{ side }})
),

remaining AS (
    SELECT
        b.key,
        b.rule,
        list_filter(b.candidates, LAMBDA each: b.ignored OR list_contains(a.keys, each)) AS candidates
    FROM asked AS b
    CROSS JOIN across AS a
)

SELECT
    '{{ side }}' AS side,
    key,
    'ambiguous' AS kind,
    rule,
    candidates
FROM remaining
WHERE len(candidates) > 0;
{% endfor %}
{% include 'link/models/_free_without_unsure.sql' %}
DROP TABLE asked_before;
