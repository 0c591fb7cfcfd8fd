-- query (key): the GHL contacts whose notes to read, the most pressing first
--
-- Those of whom a note was changed in the app, as that change could not be carried without; then those of open questions,
-- those that were hinted at, those never read, those that changed since, and those read longest ago.
SELECT g.key
FROM raw_{{ entity.parent }}_ghl AS g
LEFT JOIN swept AS s ON g.key = s.contact_key
WHERE NOT g.deleted
ORDER BY
    g.key NOT IN (FROM pressing),
    g.key NOT IN (FROM contacts_in_question),
    NOT coalesce(s.hinted_at > coalesce(s.checked_at, ''), false),
    s.checked_at IS NOT NULL,
    NOT coalesce(g.modified_at > s.checked_at, false),
    s.checked_at,
    g.key
LIMIT {{ budget }}
