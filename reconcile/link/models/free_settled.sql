-- changes free_{e}_{s}: what is linked or held by now is not free any more
CREATE OR REPLACE TABLE free_{{ entity }}_{{ side }} AS
SELECT f.*
FROM free_{{ entity }}_{{ side }} AS f
ANTI JOIN (
    SELECT {{ side }}_key AS key
    FROM found_{{ entity }}
    UNION ALL
    SELECT key
    FROM unsure_{{ entity }}
    WHERE side = '{{ side }}'
) AS done ON f.key = done.key;
