-- changes absence_{e}: what hangs on a contact of which it is not known who it is, or whether it is there, waits
UPDATE absence_{{ entity }}
SET
    action = 'not_checked',
    because = CASE s.action
        WHEN 'ask' THEN 'its contact may be another person by now; that is asked first'
        ELSE 'its contact could not be read in this run'
    END
FROM stranger_{{ entity.parent }} AS s
WHERE
    absence_{{ entity }}.parent = s.link_id
    AND s.action <> 'same'
    AND absence_{{ entity }}.action <> 'not_checked';
