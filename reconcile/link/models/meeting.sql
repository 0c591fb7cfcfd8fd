-- meeting: an identity that both sides have under the match rule at hand
CREATE OR REPLACE TABLE meeting AS
WITH
{% for side in ['app', 'ghl'] %}
{{ side }} AS (
    SELECT
        identity,
        count(*) AS records,
        bool_or(NOT strong) AS weak,
        bool_and(free) AS free,
        min(key) AS key
    FROM identity_{{ side }}
    GROUP BY identity
){{ ',' if not loop.last }}
{% endfor %}

SELECT
    identity,
    a.records = 1 AND g.records = 1 AND a.free AND g.free AS alone,
    a.weak AS app_weak,  -- a record of that side has no identity under an earlier rule
    g.weak AS ghl_weak,
    a.key AS app_key,  -- where they meet alone, the one
    g.key AS ghl_key
FROM app AS a
JOIN ghl AS g USING (identity);
