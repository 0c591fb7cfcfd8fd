-- changes absence_{e}: what hangs on a contact that may be another person waits until a person said so
UPDATE absence_{{ entity }}
SET
    action = 'not_checked',
    because = 'its contact may be another person by now; that is asked first'
WHERE
    parent IN (SELECT s.link_id FROM stranger AS s WHERE s.action = 'ask')
    AND action <> 'not_checked';
