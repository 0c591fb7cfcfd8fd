-- into survivor_{e}: the live contacts on which a task or note of one that is gone hangs now
--
-- A side deletes a contact's tasks and notes with it: what lives on elsewhere was moved there by a merge, also where nothing
-- else of the lost contact is left that was ever seen (it had got another email since).
INSERT INTO survivor_{{ entity }} BY NAME
SELECT
    '{{ side }}' AS side,
    l.link_id,
    l.lost,
    r.parent AS key,
    false AS further,
    bool_or(r.parent IN (SELECT {{ side }}_key FROM base_{{ entity }})) AS linked
FROM lost_{{ side }} AS l
JOIN base_{{ child }} AS c ON l.link_id = c.parent
JOIN raw_{{ child }}_{{ side }} AS r ON c.{{ side }}_key = r.key
SEMI JOIN (FROM raw_{{ entity }}_{{ side }} WHERE NOT deleted) AS p ON r.parent = p.key
WHERE NOT r.deleted AND r.parent <> l.lost
GROUP BY l.link_id, l.lost, r.parent;
