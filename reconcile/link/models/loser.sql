-- loser: an identity of a contact that lost an end
CREATE OR REPLACE TABLE loser (
    link_id VARCHAR,
    lost VARCHAR,  -- the key that is gone
    rule INTEGER,  -- the match rule's place
    identity VARCHAR,
    strong BOOLEAN  -- it is known by something under an earlier rule
);
