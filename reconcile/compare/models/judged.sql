-- judged_{e}: a difference with its action, winner and reason
CREATE OR REPLACE TABLE judged_{{ entity }} (
    link_id VARCHAR,
    field VARCHAR,
    item VARCHAR,
    newer VARCHAR,
    base_app VARCHAR,
    base_ghl VARCHAR,
    app VARCHAR,
    ghl VARCHAR,
    kind VARCHAR,
    app_fault VARCHAR,
    ghl_fault VARCHAR,
    action VARCHAR,  -- agree, ask, leave, unsyncable or flapping
    winner VARCHAR,  -- the side whose value the other gets
    because VARCHAR,
    ground VARCHAR,  -- of a consent: why a yes may travel
    app_required BOOLEAN,  -- whether that side takes no blank
    ghl_required BOOLEAN,
    hold_id VARCHAR,  -- of the question, where there is one
    values_digest VARCHAR,  -- an answer counts for these two values alone
    fault VARCHAR,  -- why the winner's value cannot be read
    value VARCHAR  -- the winner's value
);
