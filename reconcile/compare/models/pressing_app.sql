-- pressing_app: a note of the app that is not as it was last settled
--
-- One that this job wrote has no digest yet: its values are compared.
CREATE OR REPLACE TABLE pressing_app AS
SELECT r.digest AS row
FROM raw_{{ entity }}_app AS r
LEFT JOIN base_{{ entity }} AS b ON r.key = b.app_key AND r.digest = b.app_digest
WHERE b.app_key IS NULL AND NOT r.deleted;
