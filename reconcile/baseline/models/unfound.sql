-- query (key): records that this run did not read, though their date is among those it asked for
SELECT r.key
FROM raw_{{ entity }}_{{ side }} AS r
ANTI JOIN cover_{{ entity }}_{{ side }} AS c ON r.key = c.key
WHERE try_cast(r.modified_at AS TIMESTAMPTZ) >= {{ since | literal }}::TIMESTAMPTZ
