-- passed: a record that is left out of the plan, with the reason
CREATE OR REPLACE TABLE passed (
    entity VARCHAR,
    side VARCHAR,
    key VARCHAR,
    class VARCHAR,  -- excluded, apart, ambiguous, unsyncable, required, not_checked or deleted
    because VARCHAR
);
