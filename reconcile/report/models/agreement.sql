-- query (place, compared, equal, blank in the app, blank in GHL): for each field, how many values of `links` agree
WITH cell AS (
    SELECT
        generate_subscripts(app, 1) AS place,
        unnest(app) AS app,
        unnest(ghl) AS ghl
    FROM ({{ links }})
)

SELECT
    place,
    count(*),
    count(*) FILTER (WHERE app IS NOT DISTINCT FROM ghl),
    count(*) FILTER (WHERE app IS NULL AND ghl IS NOT NULL),
    count(*) FILTER (WHERE app IS NOT NULL AND ghl IS NULL)
FROM cell
GROUP BY place
