-- uncelled_{s}: a row, by its digest, whose cells this run did not make, as it moved in nothing
CREATE OR REPLACE TABLE uncelled_{{ side }} AS
SELECT r.digest AS row
FROM raw_{{ entity }}_{{ side }} AS r
ANTI JOIN cell_{{ entity }}_{{ side }} AS c ON r.key = c.key;
