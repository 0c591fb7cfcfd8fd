-- query (key): the GHL contacts whose agendas to read next
--
-- Those that were never asked for, then those that were asked for longest ago, also where they could not be read then: one
-- that fails each time takes no other's turn.
SELECT g.key
FROM raw_{{ entity }}_ghl AS g
LEFT JOIN attempted AS a ON g.key = a.contact_key
WHERE NOT g.deleted
ORDER BY
    a.tried_at IS NOT NULL,
    a.tried_at,
    g.key
LIMIT {{ budget }}
