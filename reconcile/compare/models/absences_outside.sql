-- changes absence_{e}: of what stands outside the stretch of time that was read nothing is asked, by the pair file's own word
UPDATE absence_{{ entity }}
SET
    action = 'outside',
    because = 'not shown within the days that are read'
WHERE action = 'not_checked' AND {{ side }}_state = 'unknown';
