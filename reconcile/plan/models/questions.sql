-- into hold: differences that a person decides, or that cannot be written, and records in doubt
{% from 'compare/models/_answers.sql' import four_values %}
INSERT INTO hold BY NAME
SELECT
    j.hold_id,
    CASE j.action WHEN 'ask' THEN 'conflict' ELSE 'unsyncable' END AS kind,
    '{{ entity }}' AS entity,
    j.link_id AS subject,
    CASE WHEN j.item IS NULL THEN j.field ELSE j.field || ': ' || j.item END AS field,
    CASE j.winner WHEN 'app' THEN 'ghl' WHEN 'ghl' THEN 'app' END AS side,
    w.app_key,
    w.ghl_key,
    j.because,
    {% if consents %}
    CASE
        WHEN j.action <> 'ask' THEN []
        -- An answer to many must not lift a no unseen: "allow" is said of consents alone.
        WHEN j.field IN ({{ consents | map('literal') | join(', ') }}) THEN ['deny', 'allow', 'leave']
        ELSE ['app', 'ghl', 'leave']
    END AS options,
    {% else %}
    CASE j.action WHEN 'ask' THEN ['app', 'ghl', 'leave'] ELSE [] END AS options,
    {% endif %}
    json_object({{ four_values('j') }}) AS "values",
    j.values_digest
FROM judged_{{ entity }} AS j
JOIN wide_{{ entity }} AS w USING (link_id)
WHERE j.action IN ('ask', 'unsyncable') AND j.hold_id NOT IN (SELECT h.hold_id FROM hold AS h);

INSERT INTO hold BY NAME
SELECT
    hold_id,
    kind,
    '{{ entity }}' AS entity,
    key AS subject,
    side,
    CASE side WHEN 'app' THEN key END AS app_key,
    CASE side WHEN 'ghl' THEN key END AS ghl_key,
    because,
    options,
    json_object('rule', rule, 'candidates', candidates, 'contact', contact) AS "values",
    md5(candidates::VARCHAR)[1:20] AS values_digest
FROM unsure_{{ entity }}_now;
