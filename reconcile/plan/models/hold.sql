-- hold: a question
CREATE OR REPLACE TABLE hold (
    hold_id VARCHAR,  -- the same doubt has the same id every night, so that an answer finds it
    kind VARCHAR,
    entity VARCHAR,
    subject VARCHAR,  -- a link, or the key of a record without one on `side`
    field VARCHAR,
    side VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    because VARCHAR,
    options VARCHAR[],  -- the answers that it takes
    "values" JSON,  -- what the question is about, as it is shown
    values_digest VARCHAR  -- an answer counts for these values alone
);
