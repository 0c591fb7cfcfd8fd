-- changes judged_{e}: where a no would be lifted without a ground, a person is asked; one for good stays
--
-- The last word on every verdict, whoever gave it: a rule, an answer, what went back, what goes back and forth.
UPDATE judged_{{ entity }}
SET
    action = CASE WHEN CASE winner WHEN 'app' THEN ghl ELSE app END = 'permanent' THEN 'leave' ELSE 'ask' END,
    ground = NULL,
    because = because || '; but that would lift a no, or take silence for a yes'
WHERE
    action = 'agree'
    AND field IN ({{ consents | map('literal') | join(', ') }})
    AND CASE winner WHEN 'app' THEN app ELSE ghl END = 'allowed'
    AND (
        ground IS NULL
        OR CASE winner WHEN 'app' THEN ghl ELSE app END = 'permanent'
    );
