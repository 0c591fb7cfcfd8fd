-- query (count): links with the mark of an undo of which a side lacks the record
SELECT count(*)
FROM base_{{ entity }} AS b
JOIN undone AS u ON b.link_id = u.link_id AND u.entity = '{{ entity }}'
ANTI JOIN (FROM raw_{{ entity }}_{{ side }} WHERE NOT deleted) AS r ON b.{{ side }}_key = r.key;
