-- left_behind: a contact's link that goes because the contact was merged: its tasks and notes stay with the survivor
CREATE TABLE IF NOT EXISTS stage.left_behind (
    link_id VARCHAR,
    side VARCHAR,  -- where the contact was merged
    survivor VARCHAR  -- the survivor's key on that side
);
