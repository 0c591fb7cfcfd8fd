-- absent_{e}: a link that lost an end, with its class
CREATE OR REPLACE TABLE absent_{{ entity }} AS
WITH gone AS (
    SELECT
        a.link_id,
        a.gone,
        a.because,
        a.both_gone,
        a.action,
        h.hold_id,
        f.op_id,
        f.fate,
        {{ 'c.class' if entity.parent else 'NULL::VARCHAR' }} AS contact_class
    FROM absence_{{ entity }} AS a
    LEFT JOIN hold AS h ON a.hold_id = h.hold_id AND a.action = 'hold'
    LEFT JOIN fate AS f
        ON
            a.link_id = f.link_id
            AND f.entity = '{{ entity }}'
            AND a.side = f.side
            AND f.kind = CASE a.action WHEN 'mirror' THEN 'delete' ELSE a.action END
            AND a.key IS NOT DISTINCT FROM f.key
    {% if entity.parent %}
    LEFT JOIN absent_{{ entity.parent }} AS c ON a.parent = c.link_id AND a.gone = c.gone
    {% endif %}
)

SELECT
    link_id,
    gone,
    because,
    op_id,
    CASE
        WHEN action IN ('mirror', 'archive', 'forget') AND op_id IS NULL THEN 'unexplained'
        WHEN action IN ('mirror', 'archive') AND fate = 'done' THEN 'deleted'
        WHEN action IN ('mirror', 'archive') THEN fate
        WHEN action = 'forget' AND both_gone THEN 'gone'
        WHEN action = 'forget' THEN 'absence_held'
        WHEN action = 'hold' AND hold_id IS NULL THEN 'unexplained'
        WHEN action = 'hold' THEN 'absence_held'
        WHEN action IN ('ignore', 'outside') THEN 'accepted'
        WHEN action = 'quarantine' THEN 'quarantined'
        WHEN action = 'not_checked' THEN 'not_checked'
        WHEN action = 'follow' THEN coalesce(contact_class, 'unexplained')
        ELSE 'unexplained'
    END AS class,
    action IN ('mirror', 'archive', 'forget') AS dropped
FROM gone;
