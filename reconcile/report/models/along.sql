-- query (key, count): the tasks or notes that go along with a contact that a plan deletes, and that it does not name itself
WITH leaving AS (
    SELECT key
    FROM planned
    WHERE entity = '{{ entity.parent }}' AND kind = 'delete' AND side = '{{ side }}'
),

named AS (
    SELECT key
    FROM planned
    WHERE entity = '{{ entity }}' AND kind = 'delete' AND side = '{{ side }}'
)

SELECT
    l.key,
    count(*)
FROM leaving AS l
JOIN raw_{{ entity }}_{{ side }} AS c ON l.key = c.parent
ANTI JOIN named AS n ON c.key = n.key
WHERE NOT c.deleted
GROUP BY l.key
ORDER BY l.key
