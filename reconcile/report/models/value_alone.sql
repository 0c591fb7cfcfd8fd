-- into value_{e}: records of a side without a counterpart: as the record, so its values; those of a deleted one are no more
INSERT INTO value_{{ entity }} BY NAME
SELECT
    key AS {{ side }}_key,
    NULL AS field,
    CASE class
        {% for of_record, of_values in of_records.items() %}
        WHEN {{ of_record | literal }} THEN {{ of_values | literal }}
        {% endfor %}
        ELSE 'unexplained'
    END AS class,
    because
FROM row_{{ entity }}_{{ side }}
WHERE NOT paired AND class NOT IN ('deleted', 'gone');
