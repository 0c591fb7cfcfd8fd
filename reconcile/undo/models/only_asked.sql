-- query (hold_id, kind, entity, subject, field, key, because): questions of one run that the other one does not ask
SELECT
    hold_id,
    kind,
    entity,
    subject,
    field,
    coalesce(app_key, ghl_key) AS key,
    because
FROM {{ holds }}
WHERE hold_id NOT IN (SELECT hold_id FROM {{ other_holds }})
ORDER BY entity, kind, subject, field
