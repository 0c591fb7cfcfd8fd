-- query (hold_id): earlier questions about what this run did not see
--
-- A link is seen where both its ends were, or one is known to be gone; a record without one, where its part of the side was
-- read and the other side far enough to say whether it is there.
SELECT a.hold_id
FROM asked_{{ entity }} AS a
JOIN base_{{ entity }} AS b ON a.subject = b.link_id
LEFT JOIN moved_{{ entity }} AS m USING (link_id)
LEFT JOIN raw_{{ entity }}_app AS ra ON b.app_key = ra.key
LEFT JOIN raw_{{ entity }}_ghl AS rg ON b.ghl_key = rg.key
WHERE coalesce('unknown' IN (m.app_state, m.ghl_state), ra.key IS NULL OR rg.key IS NULL)
UNION
SELECT a.hold_id
FROM asked_{{ entity }} AS a
JOIN absence_{{ entity }} AS x ON a.subject = x.link_id
WHERE x.action = 'not_checked'
UNION
SELECT a.hold_id
FROM asked_{{ entity }} AS a
JOIN passed AS p ON a.side = p.side AND a.subject = p.key
WHERE p.entity = '{{ entity }}' AND p.class = 'not_checked'
{% for side, snapshot in snapshots.items() %}
UNION
SELECT a.hold_id
FROM asked_{{ entity }} AS a
WHERE
    a.side = '{{ side }}'
    {% if snapshot.partial %}
    AND NOT coalesce(a.{{ 'parent' if entity.parent else 'subject' }} IN (SELECT key FROM cover_{{ entity }}_{{ side }}), false)
    {% else %}
    AND NOT {{ snapshot.complete | lower }}
    {% endif %}
    AND a.subject NOT IN (SELECT key FROM raw_{{ entity }}_{{ side }})
{% endfor %}
