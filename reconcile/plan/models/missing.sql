-- query (key, cells): records of a side that would be created if it were known that they are new
--
-- Also those in doubt of which a person may have said so: answers about them are in with the draft.
SELECT
    key,
    cells
FROM orphan_{{ side }}
WHERE class = 'not_checked' AND lacking IS NULL AND faulty IS NULL AND refused_without = []
UNION
SELECT
    c.key,
    c.cells
FROM cell_{{ entity }}_{{ side }} AS c
SEMI JOIN unsure_{{ entity }} AS u ON c.key = u.key AND u.side = '{{ side }}'
WHERE EXISTS (FROM decision WHERE choice = 'create')
ORDER BY key
