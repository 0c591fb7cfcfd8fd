-- pending: a link with the fields and items whose baseline stays, because something is still to be done or decided
CREATE OR REPLACE TABLE pending AS
SELECT
    link_id,
    list(DISTINCT field) FILTER (WHERE item IS NULL) AS fields,
    list(DISTINCT field || chr(31) || item) FILTER (WHERE item IS NOT NULL) AS items
FROM judged_{{ entity }}
WHERE action IN ('agree', 'ask', 'unsyncable', 'flapping')
GROUP BY link_id;
