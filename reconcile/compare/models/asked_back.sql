-- asked_back: a value that a record went back to and that would be carried across, with the answer
{% from 'compare/models/_answers.sql' import decided %}
CREATE OR REPLACE TABLE asked_back AS
SELECT
    j.link_id,
    j.field,
    j.item,
    r.side,
    d.choice,
    {{ decided('d') }} AS decided,
    CASE d.choice WHEN 'app' THEN j.app_fault WHEN 'ghl' THEN j.ghl_fault END AS unfit,
    CASE d.choice WHEN 'app' THEN j.app WHEN 'ghl' THEN j.ghl END AS chosen
FROM judged_{{ entity }} AS j
JOIN rewound AS r ON r.entity = '{{ entity }}' AND j.link_id = r.link_id
LEFT JOIN decision AS d ON j.hold_id = d.hold_id AND j.values_digest = d.values_digest
WHERE
    NOT starts_with(j.because, 'decided by')
    AND CASE r.side
        WHEN 'app' THEN j.app IS DISTINCT FROM j.base_app
        ELSE j.ghl IS DISTINCT FROM j.base_ghl
    END
    AND ((j.action = 'agree' AND j.winner = r.side) OR (j.action = 'leave' AND j.kind = r.side || '_moved'));
