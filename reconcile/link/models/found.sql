-- found_{e}: a new link, with the match rule or answer that made it
CREATE OR REPLACE TABLE found_{{ entity }} (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    parent VARCHAR,  -- of a task or note: its contact's link
    how VARCHAR  -- the rule's fields, 'content', or who decided
);
