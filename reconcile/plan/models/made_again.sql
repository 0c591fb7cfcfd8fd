-- made_again_{e}: what a merged contact that goes has left behind: its survivor's is made again in its place
CREATE OR REPLACE TABLE made_again_{{ entity }} (
    side VARCHAR,  -- where the contact goes, and what it left is made again on the survivor
    key VARCHAR,  -- there, of the old one
    survivors VARCHAR,  -- the key, on the other side, of the one that hangs on the survivor
    link_id VARCHAR
);
