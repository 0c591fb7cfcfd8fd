-- delta_{e}: a field, or an item of a set, in which a side moved or the sides differ
--
-- Each side is held against its own baseline, then against the other: `classify` in compare/diff.py is the same in Python.
-- A new link has no baseline: where its ends are equal nothing moved (a first run of a million would give 22 million cells).
CREATE OR REPLACE TABLE delta_{{ entity }} (
    link_id VARCHAR,
    field VARCHAR,
    item VARCHAR,  -- the element, where a set is compared by element
    newer VARCHAR,
    base_app VARCHAR,
    base_ghl VARCHAR,
    app VARCHAR,
    ghl VARCHAR,
    kind VARCHAR,  -- converged, standing, app_moved, ghl_moved or conflict
    app_fault VARCHAR,  -- why the side's value cannot be read
    ghl_fault VARCHAR
);
