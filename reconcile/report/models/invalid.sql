-- query (field, why, number, keys): values of a side that are not well-formed
SELECT
    field,
    why,
    count(DISTINCT key) AS many,
    list_sort(list(DISTINCT key))[1:{{ examples }}] AS keys
FROM fault_{{ entity }}_{{ side }}
GROUP BY field, why
ORDER BY many DESC, field, why
