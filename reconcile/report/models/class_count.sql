-- query (class, number): of what was read on both sides of a link, how many rows of a side are in each class
SELECT
    r.class,
    count(*)
FROM row_{{ entity }}_{{ side }} AS r
JOIN tie_{{ entity }} AS t ON r.key = t.{{ side }}_key
WHERE
    t.app_row
    AND t.ghl_row
    AND t.app_state = 'present'
    AND t.ghl_state = 'present'
GROUP BY r.class
