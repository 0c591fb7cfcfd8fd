-- known_by: what a staged contact is known by: its identity by a match rule
CREATE OR REPLACE TABLE known_by (
    rule INTEGER,  -- the place of the rule among the declared ones, from 0
    side VARCHAR,
    key VARCHAR,
    identity VARCHAR
);
