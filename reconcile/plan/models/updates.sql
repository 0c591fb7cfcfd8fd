-- into operation: what makes the two records of a link agree, in one write for each side
--
-- Unique values that records pass on to one another are written by themselves, each in its turn (`lot_{e}`).
{% from 'plan/models/_json.sql' import gathered %}
INSERT INTO operation BY NAME
WITH {% if sets %}{% include 'plan/models/_sets.sql' %}{% endif %}
due AS (
    SELECT
        link_id,
        field,
        CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        because,
        kind = 'conflict' AS contested,
        CASE winner WHEN 'app' THEN ghl ELSE app END AS previous,
        CASE winner WHEN 'app' THEN app ELSE ghl END AS new_value,
        NULL::VARCHAR AS across,
        ground
    FROM judged_{{ entity }}
    WHERE action = 'agree' AND item IS NULL
    {% if sets %}
    UNION ALL BY NAME
    FROM due_set
    {% endif %}
),

turned AS (
    SELECT
        d.* EXCLUDE (previous, new_value),
        {% if consents %}
        -- A no for good is the person's own word, and its side's alone.
        CASE
            WHEN d.field IN ({{ consents | map('literal') | join(', ') }}) AND d.new_value = 'permanent' THEN 'denied'
            ELSE d.new_value
        END AS new_value,
        {% else %}
        d.new_value,
        {% endif %}
        CASE WHEN l.room THEN NULL ELSE d.previous END AS previous,
        coalesce(l.lot, '') AS lot,
        coalesce({{ phases.PASS_ON }} + l.turn / 1000, {{ phases.UPDATE }}) AS phase,
        coalesce(l.room, false) AS room
    FROM due AS d
    LEFT JOIN lot_{{ entity }} AS l USING (link_id, field, target)
),

{% if beside %}
-- Of values that say something only together, the one that stays is to stand as it was seen, too.
staying AS (
    {% for name, other, place in beside %}
    SELECT
        t.link_id,
        t.target,
        t.lot,
        t.phase,
        {{ other | literal }} AS field,
        CASE t.target WHEN 'app' THEN a.cells[{{ place }}] ELSE g.cells[{{ place }}] END AS previous
    FROM turned AS t
    JOIN wide_{{ entity }} AS w USING (link_id)
    JOIN cell_{{ entity }}_app AS a ON w.app_key = a.key
    JOIN cell_{{ entity }}_ghl AS g ON w.ghl_key = g.key
    WHERE
        t.field = {{ name | literal }}
        AND (t.link_id, t.target) NOT IN (SELECT (o.link_id, o.target) FROM turned AS o WHERE o.field = {{ other | literal }})
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
),

{% endif %}
-- Fields with the same reason share a sentence.
reason AS (
    SELECT
        link_id,
        target,
        lot,
        because,
        string_agg(field, ', ' ORDER BY field) AS fields
    FROM turned
    GROUP BY ALL
),

sentence AS (
    SELECT
        link_id,
        target,
        lot,
        string_agg(fields || ': ' || because, '; ' ORDER BY fields) AS because
    FROM reason
    GROUP BY ALL
),

-- Each side's change of a record in one request: several would each be a chance to stop halfway, and a request more.
one_write AS (
    SELECT
        link_id,
        target,
        lot,
        phase,
        bool_or(room) AS room,
        {{ gathered('previous') }} AS before,
        {{ gathered('new_value', 'FILTER (because IS NOT NULL)') }} AS after,
        coalesce({{ gathered('across', 'FILTER (across IS NOT NULL)') }}, '{}') AS source,
        coalesce({{ gathered('ground', 'FILTER (ground IS NOT NULL)') }}, '{}') AS grounds,
        list_sort(list(field) FILTER (because IS NOT NULL)) AS fields,
        bool_or(contested) AS contested
    FROM (
        FROM turned
        {% if beside %}
        UNION ALL BY NAME
        FROM staying
        {% endif %}
    )
    GROUP BY link_id, target, lot, phase
)

SELECT
    phase,
    {% if completed %}
    -- A change of that field alone is a completion: GHL has an endpoint of its own for it.
    CASE WHEN target = 'ghl' AND fields = [{{ completed | literal }}] THEN 'complete' ELSE 'update' END AS kind,
    {% else %}
    'update' AS kind,
    {% endif %}
    '{{ entity }}' AS entity,
    target AS side,
    link_id,
    CASE target WHEN 'app' THEN w.app_key ELSE w.ghl_key END AS key,
    CASE target WHEN 'app' THEN w.ghl_key ELSE w.app_key END AS source_key,
    {% if entity.parent %}
    o.link_id AS parent,
    -- Where it hangs: after a merge that is another contact than its own contact's end.
    CASE target WHEN 'app' THEN coalesce(a.parent, o.app_key) ELSE coalesce(g.parent, o.ghl_key) END AS parent_key,
    {% endif %}
    source,
    before,
    after,
    grounds,
    -- The write before it in the same run clears the value, so that the version is another by then.
    CASE WHEN NOT room THEN CASE target WHEN 'app' THEN a.version ELSE g.version END END AS guard,
    sentence.because,
    CASE WHEN contested OR grounds <> '{}' THEN 'high' ELSE 'low' END AS risk
FROM one_write
JOIN sentence USING (link_id, target, lot)
JOIN wide_{{ entity }} AS w USING (link_id)
JOIN cell_{{ entity }}_app AS a ON w.app_key = a.key
JOIN cell_{{ entity }}_ghl AS g ON w.ghl_key = g.key
{% if entity.parent %}
LEFT JOIN owner AS o ON a.parent = o.app_key
{% endif %}
;
