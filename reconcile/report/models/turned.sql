-- turned_{e}: a value that is computed of what this run wrote, and is another one by now
--
-- The answer to the write shows it. Nobody compared the new one: the old one was read before.
CREATE OR REPLACE TABLE turned_{{ entity }} (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    field VARCHAR,
    app VARCHAR,
    ghl VARCHAR,
    was_equal BOOLEAN  -- as it was read, it was the same on both sides
);
