-- pair: a linked pair with its class in the statement of records: the most urgent of what is known of it
{% from 'report/models/_classes.sql' import urgency, class_at with context %}
{% from 'report/models/_links.sql' import released_links with context %}
CREATE OR REPLACE TABLE pair AS
WITH finding AS (
    SELECT
        link_id,
        class
    FROM written_{{ entity }}
    UNION ALL BY NAME
    SELECT
        j.link_id,
        CASE
            WHEN h.hold_id IS NULL THEN 'unexplained'
            WHEN j.action = 'ask' THEN 'conflict'
            ELSE j.action
        END AS class
    FROM judged_{{ entity }} AS j
    LEFT JOIN hold AS h ON j.hold_id = h.hold_id AND j.link_id = h.subject
    WHERE j.action IN ('ask', 'unsyncable', 'flapping')
    UNION ALL BY NAME
    SELECT
        j.link_id,
        CASE
            WHEN j.action <> 'leave' THEN 'unexplained'
            WHEN j.kind = 'converged' THEN 'in_sync'
            WHEN d.kind = 'dropped' THEN 'value_dropped'
            ELSE 'accepted'
        END AS class
    FROM judged_{{ entity }} AS j
    LEFT JOIN difference_{{ entity }} AS d
        ON j.link_id = d.link_id AND j.field = d.field AND coalesce(j.item, '') = d.item
    WHERE j.action NOT IN ('agree', 'ask', 'unsyncable', 'flapping')
    UNION ALL BY NAME
    -- a difference that nobody judged
    SELECT
        d.link_id,
        'unexplained' AS class
    FROM delta_{{ entity }} AS d
    ANTI JOIN judged_{{ entity }} AS j
        ON d.link_id = j.link_id AND d.field = j.field AND d.item IS NOT DISTINCT FROM j.item
    UNION ALL BY NAME
    SELECT
        link_id,
        CASE
            WHEN waits IS NOT NULL THEN 'not_checked'
            WHEN excluded THEN 'excluded'
            WHEN app_echo OR ghl_echo THEN 'timing'
            ELSE 'in_sync'
        END AS class
    FROM wide_{{ entity }}
    {% if strayed %}
    UNION ALL BY NAME
    -- Both records are there; of a task that is made again on another contact the rows count by what was written.
    SELECT
        s.link_id,
        CASE
            WHEN s.action = 'keep' THEN 'accepted'
            WHEN h.hold_id IS NULL THEN 'unexplained'
            ELSE '{{ 'moved' if entity.parent else 'another' }}'
        END AS class
    FROM strayed_{{ entity }} AS s
    LEFT JOIN hold AS h ON s.hold_id = h.hold_id AND s.link_id = h.subject
    WHERE s.action <> 'move'
    {% endif %}
    {% if trusted %}
    UNION ALL BY NAME
    -- Under another mapping the ledger's digests tell of no change at all.
    SELECT
        m.link_id,
        'formatting_only' AS class
    FROM moved_{{ entity }} AS m
    JOIN wide_{{ entity }} AS w USING (link_id)
    JOIN raw_{{ entity }}_app AS a ON m.app_key = a.key
    JOIN raw_{{ entity }}_ghl AS g ON m.ghl_key = g.key
    WHERE
        (a.digest <> m.app_digest OR g.digest <> m.ghl_digest)
        AND NOT w.excluded
        AND m.link_id NOT IN (SELECT link_id FROM delta_{{ entity }})
    {% endif %}
    UNION ALL BY NAME
    -- a new link that the plan does not make, or the other way round
    SELECT
        coalesce(f.link_id, a.link_id) AS link_id,
        'unexplained' AS class
    FROM found_{{ entity }} AS f
    FULL JOIN (
        SELECT
            link_id,
            source_key,
            key
        FROM fate
        WHERE entity = '{{ entity }}' AND kind = 'adopt'
    ) AS a
        ON f.link_id = a.link_id AND f.app_key = a.source_key AND f.ghl_key = a.key
    WHERE f.link_id IS NULL OR a.link_id IS NULL
    UNION ALL BY NAME
    -- a new link that was not compared
    SELECT
        f.link_id,
        'unexplained' AS class
    FROM found_{{ entity }} AS f
    ANTI JOIN wide_{{ entity }} AS w USING (link_id)
    UNION ALL BY NAME
    -- an operation that takes something away although nothing is missing
    SELECT
        f.link_id,
        'unexplained' AS class
    FROM fate AS f
    ANTI JOIN (FROM absent_{{ entity }} WHERE dropped) AS x ON f.op_id = x.op_id
    WHERE
        f.entity = '{{ entity }}'
        AND f.kind IN ('delete', 'archive', 'forget')
        AND f.link_id NOT IN ({{ released_links() }})
),

most_urgent AS (
    SELECT
        link_id,
        min({{ urgency('class') }}) AS place
    FROM finding
    GROUP BY link_id
)

SELECT
    link_id,
    {{ class_at('place') }} AS class
FROM most_urgent;
