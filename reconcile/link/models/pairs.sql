-- pairs: two free records that meet alone under the match rule at hand
CREATE OR REPLACE TABLE pairs AS
SELECT {{ 'DISTINCT' if several }}
    app_key,
    ghl_key
FROM meeting
WHERE alone;
