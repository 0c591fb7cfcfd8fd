-- query (key, parent): rows of a side that a bulk read is no proof of
--
-- On a side that lags: rows that seem to have moved, or to be gone, although we wrote them a moment ago. And echoes: where
-- something would be done about the link (the baseline is older than a value that is held), or where no lag explains them (a
-- restored backup), or where a question is open, which the baseline does not know of. And rows that seem new although their
-- link was forgotten a moment ago.
{% set key = side ~ '_key' %}
{% macro recent(at) %}
coalesce(date_diff('millisecond', try_cast({{ at }} AS TIMESTAMPTZ), {{ taken_at | literal }}::TIMESTAMPTZ) < {{ lag_seconds * 1000 }}, false)
{% endmacro %}
WITH moved AS (
    SELECT w.{{ key }} AS key
    FROM wide_{{ entity }} AS w
    SEMI JOIN delta_{{ entity }} AS d
        ON w.link_id = d.link_id AND d.{{ side }} IS DISTINCT FROM d.base_{{ side }}
    WHERE NOT w.{{ side }}_echo AND {{ recent('w.' ~ side ~ '_written') }}
),

echoes AS (
    SELECT {{ key }} AS key
    FROM wide_{{ entity }}
    WHERE
        {{ side }}_echo
        AND (
            NOT {{ recent(side ~ '_written') }}
            OR link_id IN (
                SELECT link_id FROM delta_{{ entity }} WHERE kind NOT IN ('converged', 'standing')
            )
            OR link_id IN (SELECT subject FROM in_question)
        )
),

missing AS (
    SELECT {{ key }} AS key
    FROM moved_{{ entity }}
    WHERE {{ side }}_state = 'absent' AND {{ recent(side ~ '_written') }}
),

buried AS (
    SELECT u.key
    FROM unlinked_{{ entity }}_{{ side }} AS u
    JOIN grave AS x ON u.key = x.key
    WHERE x.entity = '{{ entity }}' AND x.side = '{{ side }}' AND {{ recent('x.at') }}
)

SELECT
    k.key,
    {% if entity.parent %}
    -- A row that is missing does not say under which contact it would be; its link does.
    coalesce(r.parent, o.{{ key }}) AS parent
    {% else %}
    r.parent
    {% endif %}
FROM (
    FROM moved
    UNION
    FROM echoes
    UNION
    FROM missing
    UNION
    FROM buried
) AS k
LEFT JOIN raw_{{ entity }}_{{ side }} AS r ON k.key = r.key
{% if entity.parent %}
LEFT JOIN moved_{{ entity }} AS m ON k.key = m.{{ key }}
LEFT JOIN owner AS o ON m.parent = o.link_id
{% endif %}
ORDER BY k.key
