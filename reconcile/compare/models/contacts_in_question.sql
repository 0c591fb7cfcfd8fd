-- contacts_in_question: a contact with a note that an open question is about
CREATE OR REPLACE TABLE contacts_in_question AS
SELECT o.ghl_key AS key
FROM asked AS q
JOIN base_{{ entity }} AS b ON q.subject = b.link_id
JOIN base_{{ entity.parent }} AS o ON b.parent = o.link_id
UNION
SELECT o.ghl_key
FROM asked AS q
JOIN raw_{{ entity }}_app AS r ON q.subject = r.key
JOIN base_{{ entity.parent }} AS o ON r.parent = o.app_key
UNION
SELECT contact
FROM asked
WHERE contact IS NOT NULL;
