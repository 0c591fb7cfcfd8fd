-- query (key): records that this run did not read, and of which something that hung on them is gone
SELECT DISTINCT o.{{ side }}_key AS key
FROM moved_{{ child }} AS m
JOIN base_{{ entity }} AS o ON m.parent = o.link_id
JOIN raw_{{ entity }}_{{ side }} AS r ON o.{{ side }}_key = r.key
ANTI JOIN cover_{{ entity }}_{{ side }} AS c ON o.{{ side }}_key = c.key
WHERE m.{{ side }}_state IN ('absent', 'deleted')
