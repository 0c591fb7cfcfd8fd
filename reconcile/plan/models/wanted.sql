-- wanted_{e}: a record that an answer wants created
CREATE OR REPLACE TABLE wanted_{{ entity }} (
    side VARCHAR,
    key VARCHAR,
    "by" VARCHAR
);
