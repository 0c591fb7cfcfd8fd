-- missed_{e}: a link whose record is missing on a side where others went back, with the answer
--
-- Made since the backup, so that the ledger knows it and the restored side does not; or deleted: nobody can tell.
CREATE OR REPLACE TABLE missed_{{ entity }} AS
SELECT
    x.link_id,
    x.gone,
    d."by",
    d.choice
FROM absence_{{ entity }} AS x
LEFT JOIN decision AS d USING (hold_id, values_digest)
WHERE
    x.gone IN (SELECT side FROM rewound)
    AND x.action IN ('mirror', 'archive', 'quarantine')
    AND NOT x.tombstone
    AND NOT starts_with(x.because, 'decided by');
