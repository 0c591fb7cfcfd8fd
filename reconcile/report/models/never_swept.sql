-- query (number): contacts whose notes no run has read yet: no bound on their age can be given
SELECT count(*)
FROM raw_{{ entity.parent }}_ghl
WHERE
    NOT deleted
    AND key NOT IN (SELECT contact_key FROM swept WHERE checked_at IS NOT NULL)
    AND key NOT IN (SELECT key FROM cover_{{ entity }}_ghl)
