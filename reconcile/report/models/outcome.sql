-- outcome: what became of an operation; without rows where nothing was applied
CREATE TABLE IF NOT EXISTS outcome (
    op_id VARCHAR,
    status VARCHAR,
    key VARCHAR,
    code VARCHAR,
    detail VARCHAR,
    trace_id VARCHAR,
    outcome VARCHAR  -- all of it, as JSON
);
