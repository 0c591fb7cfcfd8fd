-- asked_back: a value that a record went back to and that would be carried across, with the answer
{% from 'compare/models/_answers.sql' import chosen_side, decided %}
CREATE OR REPLACE TABLE asked_back AS
WITH asked AS (
    SELECT
        j.link_id,
        j.field,
        j.item,
        j.app,
        j.ghl,
        j.app_fault,
        j.ghl_fault,
        r.side,
        {{ chosen_side('d', 'j') }} AS choice,
        CASE d.choice WHEN 'allow' THEN {{ decided('d') }} END AS ground,
        {{ decided('d') }} AS decided
    FROM judged_{{ entity }} AS j
    JOIN rewound AS r ON r.entity = '{{ entity }}' AND j.link_id = r.link_id
    LEFT JOIN decision AS d ON j.hold_id = d.hold_id AND j.values_digest = d.values_digest
    WHERE
        NOT starts_with(j.because, 'decided by')
        AND CASE r.side
            WHEN 'app' THEN j.app IS DISTINCT FROM j.base_app
            ELSE j.ghl IS DISTINCT FROM j.base_ghl
        END
        AND ((j.action = 'agree' AND j.winner = r.side) OR (j.action = 'leave' AND j.kind = r.side || '_moved'))
)

SELECT
    * EXCLUDE (app, ghl, app_fault, ghl_fault),
    CASE choice WHEN 'app' THEN app_fault WHEN 'ghl' THEN ghl_fault END AS unfit,
    CASE choice WHEN 'app' THEN app WHEN 'ghl' THEN ghl END AS chosen
FROM asked;
