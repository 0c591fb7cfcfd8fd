-- into raw_{e}_{s}: records as an earlier run read them, of which the side dates no change since
INSERT INTO raw_{{ entity }}_{{ side }} BY NAME
SELECT f.*
FROM {{ former }} AS f
ANTI JOIN raw_{{ entity }}_{{ side }} AS r ON f.key = r.key
WHERE NOT f.deleted;
