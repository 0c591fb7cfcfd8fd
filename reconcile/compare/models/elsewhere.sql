-- query (key, parent): linked records of a side that a bulk read shows on another contact than before, with the former one
SELECT
    r.key,
    o.{{ side }}_key AS parent
FROM moved_{{ entity }} AS m
JOIN raw_{{ entity }}_{{ side }} AS r ON m.{{ side }}_key = r.key
JOIN base_{{ entity.parent }} AS o ON m.parent = o.link_id
WHERE r.parent <> o.{{ side }}_key AND NOT r.deleted
ORDER BY r.key
