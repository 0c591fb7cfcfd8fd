-- changes judged_{e}: of values that say something only together, none is written while another waits or goes the other way
--
-- GHL puts a deal whose pipeline alone is written on a stage that nobody chose, in place of the one that is asked about.
{% from 'compare/models/_joint.sql' import together with context %}
UPDATE judged_{{ entity }} AS d
SET
    action = 'unsyncable',
    because = d.because || '; but it waits for its ' || o.field
    || CASE o.action WHEN 'agree' THEN ', which goes the other way' ELSE ', which is not settled' END
FROM judged_{{ entity }} AS o
WHERE
    d.link_id = o.link_id
    AND {{ together() }}
    AND d.action = 'agree'
    AND (
        o.action IN ('ask', 'unsyncable', 'flapping')
        OR (o.action = 'agree' AND o.winner <> d.winner)
    );
