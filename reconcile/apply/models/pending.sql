-- pending: a link with the fields and items whose baseline stays, because something is still to be done or decided
{% from 'compare/models/_joint.sql' import together with context %}
CREATE OR REPLACE TABLE pending AS
{% if joint %}
WITH open AS (
    SELECT
        link_id,
        field,
        item
    FROM judged_{{ entity }}
    WHERE action IN ('agree', 'ask', 'unsyncable', 'flapping')
    UNION
    -- What says something only together was moved together: what both sides moved alike tells of the other, while that waits.
    SELECT
        d.link_id,
        d.field,
        d.item
    FROM judged_{{ entity }} AS d
    JOIN judged_{{ entity }} AS o ON d.link_id = o.link_id AND {{ together() }}
    WHERE d.kind = 'converged' AND o.action IN ('ask', 'unsyncable', 'flapping')
)

{% endif %}
SELECT
    link_id,
    list(DISTINCT field) FILTER (WHERE item IS NULL) AS fields,
    list(DISTINCT field || chr(31) || item) FILTER (WHERE item IS NOT NULL) AS items
FROM {{ 'open' if joint else 'judged_' ~ entity }}
{% if not joint %}
WHERE action IN ('agree', 'ask', 'unsyncable', 'flapping')
{% endif %}
GROUP BY link_id;
