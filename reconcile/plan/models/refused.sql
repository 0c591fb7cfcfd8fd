-- changes judged_{e}, into hold: values that would only be refused again are asked about, and both records are shown
{% from 'compare/models/_answers.sql' import decided, four_values %}
{% from 'plan/models/_refused.sql' import because %}
UPDATE judged_{{ entity }} AS j
SET
    hold_id = a.hold_id,
    values_digest = a.values_digest,
    action = CASE d.choice WHEN 'retry' THEN 'agree' WHEN 'leave' THEN 'leave' ELSE 'unsyncable' END,
    because = CASE
        WHEN d.choice IS NOT NULL THEN {{ decided('d') }}
        ELSE {{ because() }}
    END
FROM refused_asked AS a
LEFT JOIN decision AS d
    ON
        a.hold_id = d.hold_id
        AND a.values_digest = d.values_digest
        AND d.choice IN ('retry', 'leave')
WHERE a.link_id = j.link_id AND a.field = j.field AND a.item IS NOT DISTINCT FROM j.item;

INSERT INTO hold BY NAME
SELECT
    j.hold_id,
    'refused' AS kind,
    '{{ entity }}' AS entity,
    j.link_id AS subject,
    j.field || coalesce(': ' || j.item, '') AS field,
    a.target AS side,
    a.app_key,
    a.ghl_key,
    j.because,
    ['retry', 'leave'] AS options,
    json_object(
        {{ four_values('j') }},
        'other_app_key', a.other_app,
        'other_ghl_key', CASE a.target WHEN 'ghl' THEN a.other_key ELSE a.other_ghl END
    ) AS "values",
    j.values_digest
FROM judged_{{ entity }} AS j
JOIN refused_asked AS a ON j.hold_id = a.hold_id
WHERE j.action = 'unsyncable';
