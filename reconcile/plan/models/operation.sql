-- operation: an operation of the plan
--
-- What an INSERT does not name has its default: nothing is written, nobody has to look at it.
CREATE OR REPLACE TABLE operation (
    phase DOUBLE,  -- when it comes: see reconcile/plan/phases.py; after the point, its turn
    kind VARCHAR,
    entity VARCHAR,
    side VARCHAR,  -- where it is written
    link_id VARCHAR,
    key VARCHAR,  -- of the record on that side; NULL for one that is made
    source_key VARCHAR,  -- of the record on the other side
    parent VARCHAR,  -- the link of the contact that a task or note hangs on
    parent_key VARCHAR,  -- that contact's key on that side
    source VARCHAR DEFAULT '{}',  -- JSON: all of the record that it is made from
    before VARCHAR DEFAULT '{}',  -- JSON: the cells that it replaces
    after VARCHAR DEFAULT '{}',  -- JSON: the cells that it writes
    grounds VARCHAR DEFAULT '{}',  -- JSON: of each consent that it loosens, why
    guard VARCHAR,  -- the version that the record has to have still
    because VARCHAR,
    risk VARCHAR DEFAULT 'low'
);
