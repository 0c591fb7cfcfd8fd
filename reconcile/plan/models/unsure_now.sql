-- unsure_{e}_now: a record in doubt for which no answer stands
CREATE OR REPLACE TABLE unsure_{{ entity }}_now (
    side VARCHAR,
    key VARCHAR,
    kind VARCHAR,  -- ambiguous, duplicate, erased or excluded
    rule VARCHAR,  -- the match rule that is in doubt
    candidates VARCHAR[],  -- the records of the other side that it could be
    hold_id VARCHAR,
    because VARCHAR,
    options VARCHAR[],
    choice VARCHAR,  -- what a person answered
    "by" VARCHAR,
    contact VARCHAR  -- that a task or note hangs on
);
