-- apart_{s}: a row on this side that no stored digest equals: new, or changed
--
-- And ends_{s}: what falls out of the join of digests, by row ids: rows that are new or changed, and links whose row changed
-- or is gone. A row's key is part of its digest, so that one join of numbers does: of keys and digests together it takes
-- twice as long. Where the digests may not be compared (not `trusted`), every row and every link falls out.
CREATE OR REPLACE TABLE ends_{{ side }} AS
{% if trusted %}
SELECT
    r.rowid AS row,
    b.rowid AS link
FROM raw_{{ entity }}_{{ side }} AS r
FULL JOIN base_{{ entity }} AS b ON r.digest = b.{{ side }}_digest AND NOT r.deleted
WHERE r.rowid IS NULL OR b.rowid IS NULL;
{% else %}
SELECT
    rowid AS row,
    NULL AS link
FROM raw_{{ entity }}_{{ side }}
UNION ALL
SELECT
    NULL AS row,
    rowid AS link
FROM base_{{ entity }};
{% endif %}

CREATE OR REPLACE TABLE apart_{{ side }} AS
SELECT
    r.key,
    r.digest,
    r.deleted
FROM raw_{{ entity }}_{{ side }} AS r
SEMI JOIN ends_{{ side }} AS e ON r.rowid = e.row;
