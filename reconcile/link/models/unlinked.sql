-- unlinked_{e}_{s}: a row without a link, by its key and digest
CREATE OR REPLACE TABLE unlinked_{{ entity }}_{{ side }} AS
SELECT
    a.key,
    a.digest AS row
FROM apart_{{ side }} AS a
ANTI JOIN moved_{{ entity }} AS m ON a.key = m.{{ side }}_key
WHERE NOT a.deleted;
