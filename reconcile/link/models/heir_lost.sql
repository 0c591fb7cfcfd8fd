-- into heir_{e}: a record without a link, on the side where a linked record's other end is gone, that has that one's identity
--
-- It may have been merged into this one, or made anew.
{% from 'link/models/_identities.sql' import identities, unlinked, contradict with context %}
INSERT INTO heir_{{ entity }} BY NAME
SELECT DISTINCT
    '{{ side }}' AS side,
    h.key,
    {{ rule.name | literal }} AS rule,
    h.identity,
    t.key AS lost
FROM ({{ identities(rule, side, [unlinked(side, excluded=false)]) }}) AS h
JOIN ({{ identities(rule, other, ['SELECT key FROM taken_' ~ other]) }}) AS t ON h.identity = t.identity
SEMI JOIN (FROM moved_{{ entity }} WHERE {{ side }}_state IN ('absent', 'deleted')) AS m ON t.key = m.{{ other }}_key
WHERE NOT {{ contradict(side, 'h.key', other, 't.key') }};
