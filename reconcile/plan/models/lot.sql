-- lot_{e}: a field that is written by itself, in its turn, so that a unique value may pass from one record to another
CREATE OR REPLACE TABLE lot_{{ entity }} (
    link_id VARCHAR,
    field VARCHAR,
    target VARCHAR,  -- the side
    turn INTEGER,
    room BOOLEAN  -- the old value is cleared first, to break a ring
);
