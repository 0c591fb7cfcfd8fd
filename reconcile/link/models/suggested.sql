-- suggested: two contacts without link or match that are probably one person, each the best that the other has
CREATE OR REPLACE TABLE suggested (
    app_key VARCHAR,
    ghl_key VARCHAR,
    probability DOUBLE,
    weight DOUBLE,  -- Splink's: base 2 logarithm of the odds
    evidence STRUCT("field" VARCHAR, how VARCHAR)[]  -- of each field that both have a value of: equal, alike or different
);
