-- changes absence_{e}: a part of the records that was read proves no absence
UPDATE absence_{{ entity }}
SET
    action = 'not_checked',
    because = 'missing where a part was read; a full run decides what that means'
WHERE action NOT IN ('not_checked', 'outside');
