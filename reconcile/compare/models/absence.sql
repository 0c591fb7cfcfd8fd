-- absence_{e}: a link that lost an end, with what may be done about it
CREATE OR REPLACE TABLE absence_{{ entity }} (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    parent VARCHAR,
    app_state VARCHAR,  -- present, absent, deleted or unknown
    ghl_state VARCHAR,
    gone VARCHAR,  -- the side that lacks the record
    both_gone BOOLEAN,
    unknown BOOLEAN,  -- a side was not read far enough
    tombstone BOOLEAN,  -- the side says itself that it deleted the record
    runs INTEGER,  -- in how many complete runs it was missing
    side VARCHAR,  -- where the record still is; `key`, `version` and `cells` are of that one
    key VARCHAR,
    version VARCHAR,
    touched BOOLEAN,  -- it, or what hangs on it, was changed there since
    cells JSON,
    policy VARCHAR,  -- what the pair file says of a deletion there
    excluded BOOLEAN,
    survivor VARCHAR,  -- a record that has the identity of the missing one now
    merged VARCHAR,  -- the same, where it is linked with another record
    hangs_on VARCHAR,  -- the contact's key where it still is
    follows BOOLEAN,  -- its contact is gone there too
    unproven BOOLEAN,  -- read by key, the side did not say that it is gone
    undone VARCHAR,  -- how the link is marked where an undo, or a restored backup, took the record away
    hold_id VARCHAR,
    values_digest VARCHAR,
    action VARCHAR,  -- mirror, archive, hold, ignore, forget, follow, quarantine, outside or not_checked
    where_gone VARCHAR,
    where_kept VARCHAR,
    because VARCHAR
);
