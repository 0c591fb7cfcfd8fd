-- query (number): how many questions are about no record
--
-- `of_record`: a question about a record without a link; one about a refused value has its field.
{% set of_record = "(kind IN ('ambiguous', 'duplicate', 'erased', 'required') OR (kind = 'refused' AND field IS NULL))" %}
SELECT count(*)
FROM hold
WHERE
    entity = '{{ entity }}'
    AND NOT (
        CASE
            WHEN kind = 'doubt' THEN true
            WHEN {{ of_record }} AND side = 'app'
                THEN subject IN (SELECT key FROM row_{{ entity }}_app)
            WHEN {{ of_record }}
                THEN subject IN (SELECT key FROM row_{{ entity }}_ghl)
            ELSE subject IN (SELECT link_id FROM tie_{{ entity }})
        END
    )
