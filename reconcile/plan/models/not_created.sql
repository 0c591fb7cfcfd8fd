-- into passed, hold: records without a counterpart that are not created, each with the reason; some are asked about
INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    key,
    class,
    CASE class
        WHEN 'excluded'
            THEN coalesce(decided, 'the rules do not create records of this kind in {{ other_label }}')
        WHEN 'required' THEN refusal || ' ({{ code }})'
        WHEN 'not_checked'
            THEN '{{ other_label }} was not read completely in this run, so whether it exists there is not known'
        WHEN 'apart' THEN apart
        WHEN 'unsyncable' THEN coalesce(forsaken, concat_ws('; ', 'required, but blank: ' || lacking, faulty))
    END AS because
FROM orphan_{{ side }}
WHERE class <> 'create';

INSERT INTO hold BY NAME
SELECT
    hold_id,
    'required' AS kind,
    '{{ entity }}' AS entity,
    key AS subject,
    refused_without[1] AS field,
    '{{ side }}' AS side,
    key AS {{ side }}_key,
    refusal || ' ({{ code }}), so it is not sent. Fill it in at its source, or give its line in the pair file '
    || 'a fallback; it is sent once there is a value'
    || coalesce('; not sent: ' || left_out, '') AS because,
    ['ignore'] AS options,
    json_object('contact', contact) AS "values",
    values_digest
FROM orphan_{{ side }}
WHERE class = 'required';

DROP TABLE orphan_{{ side }};
