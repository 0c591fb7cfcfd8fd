-- query (key): tasks or notes of a side whose contact is not there
SELECT key
FROM raw_{{ entity }}_{{ side }}
WHERE
    NOT deleted
    AND (parent IS NULL OR parent NOT IN (SELECT key FROM raw_{{ entity.parent }}_{{ side }}))
