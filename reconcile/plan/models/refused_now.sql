-- refused_now: a value that would only be refused again
--
-- The side takes no such value; or another record has it still, or is as it was when it was named. Who waits for one that keeps
-- its value, as that one's own new value is refused, would be refused as well.
{% from 'compare/models/_joint.sql' import together with context %}
{% from 'plan/models/_holders.sql' import holders with context %}
CREATE OR REPLACE TABLE refused_now AS
WITH RECURSIVE due AS (
    SELECT
        j.link_id,
        j.field,
        j.item,
        CASE j.winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE j.winner WHEN 'app' THEN w.ghl_key ELSE w.app_key END AS key,
        CASE j.winner WHEN 'app' THEN j.app ELSE j.ghl END AS sent,
        CASE j.winner WHEN 'app' THEN j.ghl ELSE j.app END AS stored
    FROM judged_{{ entity }} AS j
    JOIN wide_{{ entity }} AS w USING (link_id)
    WHERE j.action = 'agree'
),

refused_then AS (
    SELECT
        d.*,
        r.run_id,
        r.at,
        r.other_key,
        r.code,
        r.code IN ({{ shared | map('literal') | join(', ') }}) AS shared
    FROM due AS d
    JOIN difference_{{ entity }} AS r
        ON
            d.link_id = r.link_id
            AND d.field = r.field
            AND r.item = coalesce(d.item, '')
            AND r.kind = 'rejected'
            AND d.target = r.side
            AND r.current
            AND r.sent IS NOT DISTINCT FROM d.sent
            AND r.stored IS NOT DISTINCT FROM d.stored
    -- What was refused among others is sent by itself first.
    WHERE r.code <> {{ among | literal }}
),

refused_before AS (
    FROM refused_then{{ ' AS d' if joint }}
    {% if joint %}
    -- With another value of what it says something together with, it was never sent.
    WHERE NOT EXISTS (
        SELECT 1
        FROM difference_{{ entity }} AS o
        ANTI JOIN refused_then AS r ON o.link_id = r.link_id AND o.field = r.field AND o.side = r.target
        WHERE
            d.link_id = o.link_id
            AND d.target = o.side
            AND d.run_id = o.run_id
            AND o.kind = 'rejected'
            AND {{ together() }}
    )
    AND NOT EXISTS (
        SELECT 1
        FROM due AS o
        ANTI JOIN refused_then AS r ON o.link_id = r.link_id AND o.field = r.field AND o.target = r.target
        WHERE
            d.link_id = o.link_id
            AND d.target = o.target
            AND {{ together() }}
    )
    {% endif %}
),

holder AS (
    {% if not unique_holders %}
    SELECT
        NULL::VARCHAR AS side,
        NULL::VARCHAR AS field,
        NULL::VARCHAR AS new_value,
        NULL::VARCHAR AS key
    WHERE false
    {% endif %}
    {% for each in unique_holders %}
    SELECT
        '{{ each.side }}' AS side,
        {{ each.field | literal }} AS field,
        new_value,
        key
    FROM (
        {{ holders(each, 'refused_before', 'sent') }}
    )
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
),

-- Who has the value and gets another one in this run.
leaving AS (
    SELECT
        link_id,
        target,
        field,
        key
    FROM due
    WHERE
        sent IS DISTINCT FROM stored
        -- Of a ring that no order resolves, nobody leaves first.
        AND (link_id, field, target) NOT IN (SELECT (s.link_id, s.field, s.target) FROM stuck AS s)
),

-- Each refused value beside each record that has it; `ahead` is the link of one that gets another value.
waiting AS (
    SELECT
        k.*,
        h.key AS holder,
        l.link_id AS ahead
    FROM refused_before AS k
    LEFT JOIN holder AS h
        ON
            k.shared
            AND k.target = h.side
            AND k.field = h.field
            AND k.sent = h.new_value
            AND k.key <> h.key
    LEFT JOIN leaving AS l ON h.side = l.target AND h.field = l.field AND h.key = l.key
),

again (link_id, field, item, target, holder) AS (
    SELECT
        w.link_id,
        w.field,
        w.item,
        w.target,
        w.holder
    FROM waiting AS w
    LEFT JOIN raw_{{ entity }}_app AS ca ON w.target = 'app' AND w.other_key = ca.key
    LEFT JOIN raw_{{ entity }}_ghl AS cg ON w.target = 'ghl' AND w.other_key = cg.key
    WHERE
        w.ahead IS NULL
        AND (
            NOT w.shared
            OR w.holder IS NOT NULL
            -- The side does not say who has it, and shows it of nobody.
            OR w.other_key IS NULL
            -- This run may not see who has the value now.
            OR (w.target = 'app' AND {{ partly.app | lower }})
            OR (w.target = 'ghl' AND {{ partly.ghl | lower }})
            OR coalesce(coalesce(ca.modified_at, cg.modified_at) <= w.at, false)
        )
    UNION
    SELECT
        w.link_id,
        w.field,
        w.item,
        w.target,
        w.holder
    FROM waiting AS w
    JOIN again AS a ON w.ahead = a.link_id AND w.field = a.field AND w.target = a.target
)

SELECT
    k.link_id,
    k.field,
    k.item,
    k.target,
    k.run_id,
    k.shared,
    k.code,
    coalesce(min(a.holder), k.other_key) AS other_key
FROM refused_before AS k
JOIN again AS a
    ON
        k.link_id = a.link_id
        AND k.field = a.field
        AND k.item IS NOT DISTINCT FROM a.item
        AND k.target = a.target
GROUP BY k.link_id, k.field, k.item, k.target, k.run_id, k.other_key, k.shared, k.code;
