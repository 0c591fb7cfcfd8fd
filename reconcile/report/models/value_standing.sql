-- into value_{e}: what nobody moved, and is known to differ
INSERT INTO value_{{ entity }} BY NAME
SELECT
    s.link_id,
    t.app_key,
    t.ghl_key,
    s.field,
    CASE s.class WHEN 'unknown' THEN 'held' ELSE s.class END AS class,
    s.because,
    s.app,
    s.ghl
FROM standing_{{ entity }} AS s
JOIN tie_{{ entity }} AS t USING (link_id)
WHERE
    t.paired
    AND t.app_state = 'present'
    AND t.ghl_state = 'present'
    AND s.link_id NOT IN (SELECT link_id FROM moved_{{ entity }});
