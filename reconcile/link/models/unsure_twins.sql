-- into unsure_{e}: a free record that shares an identity with others of its own side
--
-- Linked and held ones among them: a linked record's other end may be about to get the identity.
{% from 'link/models/_identities.sql' import identities, free, held, linked with context %}
INSERT INTO unsure_{{ entity }} BY NAME
WITH known AS (
    SELECT
        i.key,
        i.identity,
        i.key IN (SELECT key FROM strong_{{ side }}) AS strong,
        i.key IN ({{ free(side) }}) AS free
    FROM ({{ identities(rule, side, [free(side), held(side), linked(side)]) }}) AS i
    SEMI JOIN ({{ identities(rule, side, [free(side)]) }}) AS f ON i.identity = f.identity
),

crowd AS (
    SELECT
        identity,
        list_sort(list(key))[1:21] AS keys
    FROM known
    GROUP BY identity
    HAVING count(*) > 1 AND bool_or(free) AND bool_or(NOT strong)
),

twins AS (
    SELECT
        k.key,
        list_filter(c.keys, LAMBDA other: other <> k.key) AS others
    FROM known AS k
    JOIN crowd AS c ON k.identity = c.identity
    WHERE k.free
)

SELECT
    '{{ side }}' AS side,
    key,
    'duplicate' AS kind,
    {{ rule.name | literal }} AS rule,
    list_sort(list_distinct(flatten(list(others))))[1:20] AS candidates
FROM twins
GROUP BY key;
