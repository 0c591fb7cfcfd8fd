-- planned: an operation of the plan in its place, with its id
--
-- Made in place, and only the names are sorted: a copy of a plan needs as much memory again as the plan.
ALTER TABLE operation ADD COLUMN seq BIGINT;
ALTER TABLE operation ADD COLUMN op_id VARCHAR;
ALTER TABLE operation ADD COLUMN starts_workflows BOOLEAN;
ALTER TABLE operation ADD COLUMN turn INTEGER;

UPDATE operation AS o
SET
    seq = place.seq,
    turn = round((o.phase - floor(o.phase)) * 1000)::INTEGER,
    starts_workflows = o.side = 'ghl' AND o.kind NOT IN ('adopt', 'forget', 'delete', 'archive'),
    op_id = md5(concat_ws(chr(31), o.kind, o.entity, o.side, o.link_id, coalesce(o.key, ''), o.before, o.after))[1:20]
FROM (
    SELECT
        rowid AS row,
        row_number() OVER (
            ORDER BY phase, array_position([{{ kinds | map('literal') | join(', ') }}], entity), side, link_id, kind, after
        ) AS seq
    FROM operation
) AS place
WHERE place.row = o.rowid;

DROP TABLE IF EXISTS work.planned;
ALTER TABLE operation RENAME TO planned;
