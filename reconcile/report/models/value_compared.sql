-- into value_{e}: what was compared, each difference by its verdict, and what was to be written by what became of it
--
-- An item of a set (a tag) is judged alone; the value is in the most urgent class of its items.
{% from 'report/models/_classes.sql' import urgency with context %}
{% from 'report/models/_items.sql' import together %}
{% from 'report/models/_stored.sql' import stored %}
INSERT INTO value_{{ entity }} BY NAME
WITH judged AS (
    SELECT
        j.link_id,
        j.field,
        j.item,
        j.app,
        j.ghl,
        j.action,
        j.kind,
        j.fault,
        coalesce(r.because, j.because) AS because,
        d.kind AS known,
        w.class AS outcome_class,
        w.value,
        o.outcome,
        r.op_id IS NOT NULL AS found_different
    FROM judged_{{ entity }} AS j
    LEFT JOIN written_{{ entity }} AS w
        ON j.link_id = w.link_id AND j.field = w.field AND j.item IS NOT DISTINCT FROM w.item
    LEFT JOIN outcome AS o ON w.op_id = o.op_id
    LEFT JOIN difference_{{ entity }} AS d
        ON j.link_id = d.link_id AND j.field = d.field AND coalesce(j.item, '') = d.item
    LEFT JOIN residual AS r ON w.op_id = r.op_id AND r.field IN (j.field, '*')
),

classed AS (
    SELECT
        *,
        CASE
            {% if applied %}
            WHEN action = 'agree' AND outcome_class = 'value_dropped' AND NOT {{ stored() }} THEN 'dropped'
            WHEN action = 'agree' AND found_different THEN 'pending'
            WHEN action = 'agree' AND outcome_class IN ('updated', 'value_dropped') THEN 'carried'
            WHEN action = 'agree' AND outcome_class IN ('rejected', 'unexplained') THEN outcome_class
            {% endif %}
            WHEN action = 'agree' THEN 'pending'
            WHEN action = 'unsyncable' AND known = 'rejected' THEN 'rejected'
            WHEN action = 'unsyncable' AND fault IS NOT NULL THEN 'unreadable'
            WHEN action IN ('ask', 'flapping', 'unsyncable') THEN 'held'
            WHEN action <> 'leave' THEN 'unexplained'
            WHEN kind = 'converged' THEN 'equal'
            WHEN known = 'dropped' THEN 'dropped'
            ELSE 'by_rule'
        END AS class
    FROM judged
),

worst AS (
    SELECT
        link_id,
        field,
        arg_min(class, {{ urgency('class') }}) AS class,
        string_agg(DISTINCT because, '; ' ORDER BY because) AS because,
        {{ together('app') if by_item else 'any_value(app)' }} AS app,
        {{ together('ghl') if by_item else 'any_value(ghl)' }} AS ghl
    FROM classed
    GROUP BY link_id, field
)

SELECT
    w.link_id,
    t.app_key,
    t.ghl_key,
    w.field,
    w.class,
    w.because,
    w.app,
    w.ghl
FROM worst AS w
JOIN tie_{{ entity }} AS t USING (link_id)
WHERE w.class <> 'equal' AND t.paired;
