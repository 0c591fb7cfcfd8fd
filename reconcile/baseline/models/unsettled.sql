-- query (key): records as an earlier run read them, that are not as the ledger last knew them
--
-- Somebody is asked about such a one, or it was not written, or it was read by a trigger meanwhile.
SELECT r.key
FROM raw_{{ entity }}_{{ side }} AS r
JOIN base_{{ entity }} AS b ON r.key = b.{{ side }}_key
ANTI JOIN cover_{{ entity }}_{{ side }} AS c ON r.key = c.key
WHERE b.{{ side }}_digest IS DISTINCT FROM r.digest
