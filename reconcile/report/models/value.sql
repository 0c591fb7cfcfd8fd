-- value_{e}: a value that is not simply equal, with its class and reason
CREATE OR REPLACE TABLE value_{{ entity }} (
    link_id VARCHAR,  -- NULL of a record without a counterpart
    app_key VARCHAR,
    ghl_key VARCHAR,
    field VARCHAR,  -- NULL where every value of the record is in that class
    class VARCHAR,  -- of VALUE_CLASSES in report/classes.py
    because VARCHAR,
    app VARCHAR,
    ghl VARCHAR
);
