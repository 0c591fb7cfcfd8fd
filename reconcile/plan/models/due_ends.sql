-- query (key): the records of a kind that others name that are about to be created across
--
-- Not those that somebody is asked about, without an answer that makes them, or that the other side refused before.
WITH asked AS (
    SELECT q.subject
    FROM in_question AS q
    WHERE q.hold_id NOT IN (SELECT d.hold_id FROM decision AS d WHERE d.choice IN ('create', 'restore'))
)

SELECT x.key
FROM orphan_{{ side }} AS x
WHERE
    x.class = 'create'
    AND x.key NOT IN (SELECT a.subject FROM asked AS a)
    AND x.link_id NOT IN (SELECT a.subject FROM asked AS a)
    AND x.link_id NOT IN (
        SELECT d.link_id
        FROM difference_{{ entity }} AS d
        WHERE d.field = '*' AND d.kind = 'rejected' AND d.side = '{{ other }}'
    )
    AND x.key NOT IN (SELECT c.key FROM cell_{{ entity }}_{{ side }} AS c WHERE c.excluded);
