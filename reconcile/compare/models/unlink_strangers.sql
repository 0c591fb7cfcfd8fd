-- into released_{e}, changes base_{e}: contacts that a person said are two people, taken apart
{% from 'compare/models/_stranger.sql' import question, shown %}
INSERT INTO released_{{ entity }} BY NAME
WITH link AS (
    SELECT
        *,
        {{ question('link_id') }} AS hold_id
    FROM base_{{ entity }}
)

SELECT
    l.link_id,
    l.app_key,
    l.ghl_key,
    l.parent,
    'decided by ' || d."by" || ': ' || d.choice AS because
FROM link AS l
JOIN decision AS d ON l.hold_id = d.hold_id AND d.choice = 'unlink'
JOIN raw_{{ entity }}_app AS a ON l.app_key = a.key AND NOT a.deleted
JOIN raw_{{ entity }}_ghl AS g ON l.ghl_key = g.key AND NOT g.deleted
WHERE d.values_digest = {{ shown() }};

DELETE FROM base_{{ entity }}
WHERE link_id IN (SELECT r.link_id FROM released_{{ entity }} AS r);
