-- query (link_id, field, item, app, ghl, because): differences of this run that a person said shall stay
SELECT
    link_id,
    field,
    coalesce(item, '') AS item,
    app,
    ghl,
    because
FROM judged_{{ entity }}
WHERE
    action = 'leave'
    AND starts_with(because, 'decided by ')
    AND app IS DISTINCT FROM ghl
ORDER BY ALL
