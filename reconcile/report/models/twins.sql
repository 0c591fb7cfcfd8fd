-- query (value, keys, number): values by which more than one looked-at contact of a side is known
SELECT
    {{ cell }} AS value,
    list(key ORDER BY key)[1:10] AS keys,
    count(*) AS many
FROM cell_{{ entity }}_{{ side }}
WHERE NOT deleted AND {{ cell }} IS NOT NULL
GROUP BY value
HAVING count(*) > 1
ORDER BY many DESC, value
LIMIT {{ most }}
