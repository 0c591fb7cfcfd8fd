-- into survivor_{e}: the live contacts that have an identity of one that is gone, under a match rule of one field
{% from 'link/models/_identities.sql' import identities with context %}
{% from 'link/models/_strong.sql' import strong with context %}
INSERT INTO survivor_{{ entity }} BY NAME
SELECT
    '{{ side }}' AS side,
    l.link_id,
    l.lost,
    i.key,
    {{ place }} AS rule,
    {% if rule.further[side] %}
    bool_or(x.key IS NOT NULL) AS further,
    {% else %}
    false AS further,
    {% endif %}
    bool_or(i.key IN (SELECT {{ side }}_key FROM base_{{ entity }})) AS linked
FROM loser AS l
JOIN ({{ identities(rule, side) }}) AS i ON l.identity = i.identity
SEMI JOIN (FROM known_{{ entity }}_{{ side }} WHERE NOT excluded) AS k ON i.key = k.key
SEMI JOIN (FROM raw_{{ entity }}_{{ side }} WHERE NOT deleted) AS r ON i.key = r.key
{% if rule.further[side] %}
LEFT JOIN (
    {% for table in rule.further[side] %}
    SELECT
        key,
        identity
    FROM {{ table }}
    {{ 'UNION' if not loop.last }}
    {% endfor %}
) AS x ON i.key = x.key AND i.identity = x.identity
{% endif %}
-- What both are known by under an earlier rule did not meet: the two contradict each other.
WHERE l.rule = {{ place }} AND i.key <> l.lost AND NOT (l.strong AND i.key IN ({{ strong(side, 'known') }}))
GROUP BY l.link_id, l.lost, i.key;
