-- held_back: a record that went back, and is asked about
CREATE OR REPLACE TABLE held_back (
    entity VARCHAR,
    side VARCHAR,
    link_id VARCHAR
);
