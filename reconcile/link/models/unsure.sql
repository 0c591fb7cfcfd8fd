-- unsure_{e}: a record that cannot be matched without doubt, with its candidates
CREATE OR REPLACE TABLE unsure_{{ entity }} (
    side VARCHAR,
    key VARCHAR,
    kind VARCHAR,  -- ambiguous, duplicate, erased or excluded
    rule VARCHAR,  -- under which rule it met its candidates
    candidates VARCHAR[]  -- keys: of the other side, or, of a duplicate, also of its own; twenty at most
);
