-- query (app_key, ghl_key, doubt): the linked records of a kind that others name, those among them that this run links
--
-- Of one whose end may be another's by now, or was not read, nobody knows whom its name names: nobody is sent there.
SELECT
    b.app_key,
    b.ghl_key,
    CASE
        WHEN s.action = 'ask' THEN 'may be another by now'
        WHEN s.action IN ('unseen', 'unread') THEN 'could not be read in this run'
    END AS doubt
FROM base_{{ entity }} AS b
LEFT JOIN stranger_{{ entity }} AS s USING (link_id)
UNION ALL
SELECT
    app_key,
    ghl_key,
    NULL AS doubt
FROM found_{{ entity }};
