-- released_{e}: a link that an answer takes apart, so that its records are matched or created anew
CREATE TABLE IF NOT EXISTS stage.released_{{ entity }} (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    parent VARCHAR,
    gone VARCHAR,  -- the side where the record is gone; NULL where both have it, or the contact is gone from both
    because VARCHAR
);
