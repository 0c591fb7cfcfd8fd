-- both_{e}: a link of which both ends are there, known or new, on its way into wide_{e}
CREATE OR REPLACE TABLE both_{{ entity }} AS
SELECT
    link_id,
    app_key,
    ghl_key,
    parent,
    false AS fresh,
    app_modified,
    ghl_modified,
    app_written,
    ghl_written,
    app_edited,
    ghl_edited
FROM moved_{{ entity }}
WHERE app_state = 'present' AND ghl_state = 'present'
UNION ALL BY NAME
SELECT
    link_id,
    app_key,
    ghl_key,
    parent,
    true AS fresh
FROM found_{{ entity }};
