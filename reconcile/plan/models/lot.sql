-- lot_{e}: a field that is written apart from its record, in its turn, as where a unique value passes from one to another
CREATE OR REPLACE TABLE lot_{{ entity }} (
    link_id VARCHAR,
    field VARCHAR,
    target VARCHAR,  -- the side
    lot VARCHAR,  -- the fields of one lot are one write
    turn INTEGER,
    room BOOLEAN  -- the old value is cleared first, to break a ring
);
