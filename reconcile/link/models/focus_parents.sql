-- query (key): contacts in focus that are there on both sides, or are about to be created across
SELECT o.{{ side }}_key AS key
FROM owner AS o
JOIN raw_{{ entity }}_app AS a ON o.app_key = a.key
JOIN raw_{{ entity }}_ghl AS g ON o.ghl_key = g.key
WHERE NOT a.deleted AND NOT g.deleted
UNION
SELECT f.key
FROM free_{{ entity }}_{{ side }} AS f
JOIN looked AS l ON l.entity = '{{ entity }}' AND l.side = '{{ side }}' AND f.key = l.key
ORDER BY 1;
