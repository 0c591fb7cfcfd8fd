-- row_{e}_{s}: a record with its class and reason
--
-- paired: whether it has a counterpart after the run; linked: whether it had one before. A record that more than one thing
-- accounts for is as unexplained as one that nothing does.
{% from 'report/models/_classes.sql' import urgency, class_at with context %}
{% from 'report/models/_links.sql' import resettled_links with context %}
CREATE OR REPLACE TABLE row_{{ entity }}_{{ side }} AS
WITH ranked AS (
    SELECT
        {{ side }}_key AS key,
        paired,
        because,
        {{ urgency('class') }} AS place
    FROM tie_{{ entity }}
),

tied AS (
    SELECT
        key,
        {{ class_at('place') }} AS class,
        bool_or(paired) AS paired,
        any_value(because) AS because
    FROM ranked
    GROUP BY key, place
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY place) = 1
),

crowd AS (
    SELECT
        {{ side }}_key AS key,
        count(*) AS links
    FROM tie_{{ entity }}
    GROUP BY {{ side }}_key
),

-- its counterpart was made on the other side
made AS (
    SELECT
        source_key AS key,
        CASE min(fate) WHEN 'done' THEN 'created' WHEN 'exists' THEN 'timing' ELSE min(fate) END AS class,
        bool_or(fate IN ('done', 'exists', 'value_dropped')) AS paired,
        any_value(because) AS because,
        count(*) AS many
    FROM fate
    WHERE kind = 'create' AND entity = '{{ entity }}' AND side = '{{ other }}'
    GROUP BY source_key
),

-- it was there already when its counterpart was to be made
met AS (
    SELECT DISTINCT made_key AS key
    FROM fate
    WHERE kind = 'create' AND entity = '{{ entity }}' AND side = '{{ side }}' AND fate = 'exists'
),

removed AS (
    SELECT
        key,
        CASE fate WHEN 'done' THEN 'deleted' ELSE fate END AS fate
    FROM fate
    WHERE
        kind = 'delete'
        AND entity = '{{ entity }}'
        AND side = '{{ side }}'
        AND link_id IN ({{ resettled_links() }})
),

left_out AS (
    SELECT
        key,
        coalesce(min(fate), min(class)) AS class,
        any_value(because) AS because
    FROM passed
    LEFT JOIN removed USING (key)
    WHERE entity = '{{ entity }}' AND side = '{{ side }}'
    GROUP BY key
),

question AS (
    SELECT
        subject AS key,
        min(CASE
            WHEN starts_with("values" ->> 'rule', {{ likeness | literal }}) THEN 'suggested'
            ELSE kind
        END) AS kind
    FROM hold
    WHERE
        entity = '{{ entity }}'
        AND side = '{{ side }}'
        AND kind IN ('ambiguous', 'duplicate', 'refused', 'erased')
    GROUP BY subject
),

classed AS (
    SELECT
        r.key,
        CASE
            WHEN c.links > 1 OR m.many > 1 THEN 'unexplained'
            WHEN t.key IS NOT NULL AND (m.key IS NOT NULL OR p.key IS NOT NULL) THEN 'unexplained'
            WHEN m.key IS NOT NULL AND p.key IS NOT NULL THEN 'unexplained'
            WHEN r.deleted AND coalesce(t.class, '') <> 'deleted' THEN 'gone'
            WHEN t.key IS NOT NULL THEN t.class
            WHEN m.key IS NOT NULL THEN m.class
            WHEN n.key IS NOT NULL THEN 'timing'
            WHEN p.class = 'ambiguous' THEN coalesce(q.kind, 'unexplained')
            ELSE coalesce(p.class, 'unexplained')
        END AS class,
        CASE
            WHEN r.deleted THEN 'marked as deleted'
            ELSE coalesce(t.because, m.because, p.because)
        END AS because,
        coalesce(t.paired, m.paired, false) OR n.key IS NOT NULL AS paired,
        t.key IS NOT NULL AS linked
    FROM raw_{{ entity }}_{{ side }} AS r
    LEFT JOIN tied AS t USING (key)
    LEFT JOIN crowd AS c USING (key)
    LEFT JOIN made AS m USING (key)
    LEFT JOIN met AS n USING (key)
    LEFT JOIN left_out AS p USING (key)
    LEFT JOIN question AS q USING (key)
)

-- A class that is none of those known is unexplained.
SELECT * REPLACE ({{ class_at(urgency('class')) }} AS class)
FROM classed;
