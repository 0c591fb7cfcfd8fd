-- crowded: a record that could be more than one of the other side, or none of them, with the identity under which it could
--
-- `several`: a record may have several identities. `later`: there was a rule before. `inherited`: there are heirs.
{% set sides = [('app', 'ghl'), ('ghl', 'app')] %}
CREATE OR REPLACE TABLE crowded AS
{% for side, other in sides %}
SELECT
    '{{ side }}' AS side,
    i.key,
    m.identity
FROM identity_{{ side }} AS i
JOIN meeting AS m ON i.identity = m.identity
WHERE i.free AND NOT m.alone AND (NOT i.strong OR m.{{ other }}_weak)
{% if several %}
UNION
-- Where a record has several identities, it may meet one record under each of them.
SELECT
    '{{ side }}' AS side,
    p.{{ side }}_key AS key,
    i.identity
FROM pairs AS p
JOIN identity_{{ side }} AS i ON p.{{ side }}_key = i.key
WHERE
    p.{{ side }}_key IN (SELECT {{ side }}_key FROM pairs GROUP BY {{ side }}_key HAVING count(*) > 1)
    OR p.{{ other }}_key IN (SELECT {{ other }}_key FROM pairs GROUP BY {{ other }}_key HAVING count(*) > 1)
{% endif %}
{% if later %}
UNION
-- The two contradict each other: each is known by something else under an earlier rule.
SELECT
    '{{ side }}' AS side,
    p.{{ side }}_key AS key,
    i.identity
FROM pairs AS p
JOIN identity_{{ side }} AS i ON p.{{ side }}_key = i.key
WHERE
    p.app_key IN (SELECT key FROM strong_app)
    AND p.ghl_key IN (SELECT key FROM strong_ghl)
{% endif %}
{% if inherited %}
UNION
-- An heir that meets a record without a link could belong to that one or to the one that is left alone.
SELECT
    '{{ side }}' AS side,
    i.key,
    i.identity
FROM identity_{{ side }} AS i
SEMI JOIN meeting AS m ON i.identity = m.identity
SEMI JOIN (FROM heir_{{ entity }} WHERE rule = {{ rule.name | literal }}) AS h ON i.identity = h.identity
WHERE i.free
{% endif %}
{{ 'UNION' if not loop.last }}
{% endfor %};

-- The one that a held record would have been linked with is held as well: it may be the same.
INSERT INTO crowded BY NAME
{% for side, other in sides %}
SELECT
    '{{ side }}' AS side,
    p.{{ side }}_key AS key,
    m.identity
FROM pairs AS p
JOIN crowded AS c ON c.side = '{{ other }}' AND p.{{ other }}_key = c.key
JOIN meeting AS m
    ON m.alone AND p.{{ side }}_key = m.{{ side }}_key AND p.{{ other }}_key = m.{{ other }}_key
WHERE p.{{ side }}_key NOT IN (SELECT key FROM crowded WHERE side = '{{ side }}')
{{ 'UNION ALL' if not loop.last }}
{% endfor %};
