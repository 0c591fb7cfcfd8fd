-- into survivor_{e}: the live contacts on which a task or note of one that is gone hangs now
--
-- A side deletes a contact's tasks and notes with it: what lives on elsewhere was moved there by a merge, also where nothing
-- else of the lost contact is left that was ever seen (it had got another email since). Its key alone does not tell that it is
-- the same: databases give that of a deleted row to a new one (SQLite), so it has to hold what it held.
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
JOIN cell_{{ child }}_{{ side }} AS now ON r.key = now.key
JOIN basecell_{{ child }} AS known ON c.link_id = known.link_id AND now.cells = known.{{ side }}
SEMI JOIN (FROM raw_{{ entity }}_{{ side }} WHERE NOT deleted) AS p ON r.parent = p.key
WHERE NOT r.deleted AND r.parent <> l.lost
GROUP BY l.link_id, l.lost, r.parent;
