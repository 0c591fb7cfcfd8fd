-- changes judged_{e}, into hold: what goes back and forth is asked about instead of being written once more
--
-- A person's answer counts for the write it was asked about: it is carried out once.
{% from 'compare/models/_answers.sql' import four_values %}
UPDATE judged_{{ entity }} AS j
SET
    hold_id = s.hold_id,
    values_digest = s.values_digest,
    action = CASE WHEN s.choice IS NULL THEN 'flapping' WHEN s.choice = 'leave' THEN 'leave' ELSE 'agree' END,
    winner = CASE WHEN s.choice <> 'leave' THEN s.choice END,
    ground = NULL,
    fault = NULL,
    value = CASE s.choice WHEN 'app' THEN j.app WHEN 'ghl' THEN j.ghl END,
    because = CASE WHEN s.choice IS NULL THEN s.because ELSE s.decided END
FROM swung AS s
WHERE s.link_id = j.link_id AND s.field = j.field AND s.item IS NOT DISTINCT FROM j.item;

INSERT INTO hold BY NAME
SELECT
    j.hold_id,
    'flapping' AS kind,
    '{{ entity }}' AS entity,
    j.link_id AS subject,
    CASE WHEN j.item IS NULL THEN j.field ELSE j.field || ': ' || j.item END AS field,
    w.app_key,
    w.ghl_key,
    j.because,
    s.options,
    json_object({{ four_values('j') }}) AS "values",
    j.values_digest
FROM judged_{{ entity }} AS j
JOIN swung AS s ON j.hold_id = s.hold_id
JOIN wide_{{ entity }} AS w ON j.link_id = w.link_id
WHERE j.action = 'flapping';
