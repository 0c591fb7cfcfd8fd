-- heir_{e}: a record that has the identity of one that is gone
CREATE OR REPLACE TABLE heir_{{ entity }} (
    side VARCHAR,  -- where one is gone
    key VARCHAR,
    rule VARCHAR,
    identity VARCHAR,
    lost VARCHAR  -- the key, on the other side, of the one whose end is gone
);
