-- swung: a value that would be written once more after enough writes that were taken back, with the answer
--
-- A one-way field offers its owner alone, and no side is offered whose value cannot be written.
{% from 'compare/models/_answers.sql' import decided %}
CREATE OR REPLACE TABLE swung AS
WITH question AS (
    SELECT
        j.link_id,
        j.field,
        j.item,
        s.hold_id,
        s.values_digest,
        s.because,
        {% if owned %}
        CASE j.field
            {% for field, owner in owned %}
            WHEN {{ field | literal }} THEN ['{{ owner }}', 'leave']
            {% endfor %}
            ELSE ['app', 'ghl', 'leave']
        END AS choices,
        {% else %}
        ['app', 'ghl', 'leave'] AS choices,
        {% endif %}
        j.app_fault IS NULL AND NOT (j.ghl_required AND j.item IS NULL AND j.app IS NULL) AS app_fits,
        j.ghl_fault IS NULL AND NOT (j.app_required AND j.item IS NULL AND j.ghl IS NULL) AS ghl_fits
    FROM judged_{{ entity }} AS j
    JOIN swing AS s
        ON
            s.entity = '{{ entity }}'
            AND j.link_id = s.link_id
            AND j.field = s.field
            AND s.item IS NOT DISTINCT FROM j.item
    WHERE j.action = 'agree' AND s.times >= {{ times }}
),

fitting AS (
    SELECT
        * EXCLUDE (choices, app_fits, ghl_fits),
        list_filter(choices, lambda c: CASE c WHEN 'app' THEN app_fits WHEN 'ghl' THEN ghl_fits ELSE true END) AS options
    FROM question
)

SELECT
    f.*,
    d.choice,
    {{ decided('d') }} AS decided
FROM fitting AS f
LEFT JOIN decision AS d
    ON
        f.hold_id = d.hold_id
        AND f.values_digest = d.values_digest
        AND list_contains(f.options, d.choice);
