-- query (app_key, ghl_key): the linked records of a kind that others name, those among them that this run links
--
-- Of one whose end may be another's by now, nobody knows whom its name names.
SELECT
    app_key,
    ghl_key
FROM base_{{ entity }}
WHERE link_id NOT IN (SELECT s.link_id FROM stranger_{{ entity }} AS s WHERE s.action = 'ask')
UNION ALL
SELECT
    app_key,
    ghl_key
FROM found_{{ entity }};
