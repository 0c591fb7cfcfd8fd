-- query (op_id, kind, entity, side, link_id, key, before, after, because): operations of one plan that the other one lacks
--
-- Links that the ledger alone drops depend on what was decided since, and are left out on both sides.
SELECT
    op_id,
    kind,
    entity,
    side,
    link_id,
    coalesce(key, source_key) AS key,
    before::VARCHAR AS before,
    after::VARCHAR AS after,
    because
FROM {{ plan }}
WHERE kind <> 'forget' AND op_id NOT IN (SELECT op_id FROM {{ other_plan }})
ORDER BY entity, side, kind, link_id
