-- query (link_id): links whose record on a side is not staged
SELECT b.link_id
FROM base_{{ entity }} AS b
ANTI JOIN raw_{{ entity }}_{{ side }} AS r ON b.{{ side }}_key = r.key
WHERE b.{{ side }}_key IS NOT NULL
