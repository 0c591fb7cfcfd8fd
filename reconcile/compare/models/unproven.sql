-- unproven_{e}: a record that seems gone, of which the side did not say so
CREATE TABLE IF NOT EXISTS stage.unproven_{{ entity }} (
    side VARCHAR,
    key VARCHAR
);
