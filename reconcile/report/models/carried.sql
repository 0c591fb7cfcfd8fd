-- carried_{e}: how many values of a class are counted without being listed
CREATE OR REPLACE TABLE carried_{{ entity }} (
    class VARCHAR,
    many BIGINT
);
