-- survivor_{e}: a live contact that has an identity, a task or a note of one that is gone: a merge, perhaps
CREATE OR REPLACE TABLE survivor_{{ entity }} (
    side VARCHAR,  -- where one is gone
    link_id VARCHAR,  -- the link of the one that is gone
    lost VARCHAR,  -- its key
    key VARCHAR,  -- the survivor's
    rule INTEGER,  -- the place, among the match rules, of the one by which they are the same; NULL: a task or note moved
    further BOOLEAN,  -- the identity is one of the survivor's further values (an additional email)
    linked BOOLEAN  -- the survivor has a link of its own
);
