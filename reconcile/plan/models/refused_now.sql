-- refused_now: a value that would only be refused again
--
-- The side takes no such value; or another record has it still, or is as it was when it was named.
{% from 'plan/models/_holders.sql' import holders with context %}
CREATE OR REPLACE TABLE refused_now AS
WITH due AS (
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

refused_before AS (
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
        target,
        field,
        key
    FROM due
    WHERE
        sent IS DISTINCT FROM stored
        -- Of a ring that no order resolves, nobody leaves first.
        AND (link_id, field, target) NOT IN (SELECT (s.link_id, s.field, s.target) FROM stuck AS s)
)

SELECT
    k.link_id,
    k.field,
    k.item,
    k.target,
    k.run_id,
    k.shared,
    k.code,
    coalesce(min(h.key), any_value(k.other_key)) AS other_key
FROM refused_before AS k
LEFT JOIN holder AS h
    ON
        k.shared
        AND k.target = h.side
        AND k.field = h.field
        AND k.sent = h.new_value
        AND k.key <> h.key
WHERE h.key IS NULL OR (h.side, h.field, h.key) NOT IN (SELECT (target, field, key) FROM leaving)
GROUP BY k.link_id, k.field, k.item, k.target, k.run_id, k.at, k.other_key, k.shared, k.code
HAVING
    NOT k.shared
    OR min(h.key) IS NOT NULL
    -- noqa: disable=LT02
    {% for side, partly in partly.items() %}
    {% if partly %}
    -- This run may not see who has the value now.
    OR any_value(k.target) = '{{ side }}'
    {% else %}
    OR (
        any_value(k.target) = '{{ side }}'
        AND EXISTS (
            FROM raw_{{ entity }}_{{ side }} AS c
            WHERE c.key = k.other_key AND coalesce(c.modified_at <= k.at, false)
        )
    )
    {% endif %}
    {% endfor %};
