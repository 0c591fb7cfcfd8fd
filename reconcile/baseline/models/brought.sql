-- query (key): records as an earlier run read them
SELECT r.key
FROM raw_{{ entity }}_{{ side }} AS r
ANTI JOIN cover_{{ entity }}_{{ side }} AS c ON r.key = c.key
