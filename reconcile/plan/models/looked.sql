-- looked: a record that a partial run looked for on the other side
CREATE TABLE IF NOT EXISTS looked (
    entity VARCHAR,
    side VARCHAR,
    key VARCHAR
);
