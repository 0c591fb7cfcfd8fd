-- into value_{e}: the values of records that this run made; what is equal or carried is counted in carried_{e} alone
INSERT INTO carried_{{ entity }} BY NAME
SELECT
    value.class,
    count(*) AS many
FROM created_value_{{ entity }}
WHERE value.class IN ('carried', 'equal')
GROUP BY value.class;

INSERT INTO value_{{ entity }} BY NAME
SELECT
    link_id,
    app_key,
    ghl_key,
    value.field,
    value.class,
    value.because,
    CASE side WHEN 'ghl' THEN value.source ELSE value.held END AS app,
    CASE side WHEN 'ghl' THEN value.held ELSE value.source END AS ghl
FROM created_value_{{ entity }}
WHERE value.class NOT IN ('carried', 'equal')
UNION ALL BY NAME
SELECT
    link_id,
    app_key,
    ghl_key,
    'pending' AS class,
    'it was there already; the next run compares the two' AS because
FROM created_{{ entity }}
WHERE fate = 'exists';

DROP TABLE created_value_{{ entity }};
