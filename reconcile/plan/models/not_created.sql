-- into passed: records without a counterpart that are not created, each with the reason
INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    key,
    class,
    CASE class
        WHEN 'excluded' THEN 'the rules do not create records of this kind in {{ other_label }}'
        WHEN 'not_checked'
            THEN '{{ other_label }} was not read completely in this run, so whether it exists there is not known'
        WHEN 'apart' THEN apart
        WHEN 'unsyncable' THEN coalesce(forsaken, concat_ws('; ', 'required, but blank: ' || lacking, faulty))
    END AS because
FROM orphan_{{ side }}
WHERE class <> 'create';

DROP TABLE orphan_{{ side }};
