-- into unsure_{e}: a free record with the identity of one of the other side that it cannot be linked with
--
-- That one is linked already (`kind` duplicate), or a rule of the pair file leaves it out (`kind` excluded): what is left out
-- on one side is not made anew from the other.
{% from 'link/models/_identities.sql' import identities, free, linked, unlinked, contradict with context %}
{% set far = linked(other) if kind == 'duplicate' else unlinked(other, excluded=true) %}
INSERT INTO unsure_{{ entity }} BY NAME
SELECT
    '{{ side }}' AS side,
    f.key,
    '{{ kind }}' AS kind,
    {{ rule.name | literal }} AS rule,
    list_sort(list(DISTINCT t.key))[1:20] AS candidates
FROM ({{ identities(rule, side, [free(side)]) }}) AS f
JOIN ({{ identities(rule, other, [far]) }}) AS t ON f.identity = t.identity
WHERE NOT {{ contradict(side, 'f.key', other, 't.key') }}
GROUP BY f.key;
