-- moved_{e}: a link whose row changed on a side, or lost an end, with the state of each end
--
-- The columns of base_{e}, and for each side: its state (present, absent, deleted, or unknown where the snapshot does not
-- speak of it), and the digest of its row, by which that is found in raw_{e}_{s}.
{% from 'link/models/_covered.sql' import covered with context %}
{% macro state(side) -%}
CASE
    WHEN {{ side }}_apart.deleted THEN 'deleted'
    WHEN {{ side }}_apart.key IS NOT NULL OR {{ side }}_end.link IS NULL THEN 'present'
    WHEN {{ covered(side) }} THEN 'absent'
    ELSE 'unknown'
END
{%- endmacro %}
{% macro row(side) -%}
coalesce({{ side }}_apart.digest, CASE WHEN {{ side }}_end.link IS NULL THEN b.{{ side }}_digest END)
{%- endmacro %}
CREATE OR REPLACE TABLE moved_{{ entity }} AS
WITH suspect AS (
    SELECT link
    FROM ends_app
    WHERE link IS NOT NULL
    UNION
    SELECT link
    FROM ends_ghl
    WHERE link IS NOT NULL
    -- The rest is for what digests alone would lose if two rows ever had the same one.
    UNION
    SELECT b.rowid AS link
    FROM base_{{ entity }} AS b
    SEMI JOIN apart_app AS a ON b.app_key = a.key
    UNION
    SELECT b.rowid AS link
    FROM base_{{ entity }} AS b
    SEMI JOIN apart_ghl AS g ON b.ghl_key = g.key
),

seen AS (
    SELECT
        b.*,
        {{ state('app') }} AS app_state,
        {{ state('ghl') }} AS ghl_state,
        {{ row('app') }} AS app_row,
        {{ row('ghl') }} AS ghl_row
    FROM base_{{ entity }} AS b
    SEMI JOIN suspect AS s ON b.rowid = s.link
    {% for side in ['app', 'ghl'] %}
    LEFT JOIN apart_{{ side }} AS {{ side }}_apart ON b.{{ side }}_key = {{ side }}_apart.key
    LEFT JOIN ends_{{ side }} AS {{ side }}_end ON b.rowid = {{ side }}_end.link
    {% endfor %}
    {% if entity.parent %}
    LEFT JOIN base_{{ entity.parent }} AS o ON b.parent = o.link_id
    {% endif %}
)

SELECT *
FROM seen
WHERE NOT (app_state = 'unknown' AND ghl_state = 'unknown');
