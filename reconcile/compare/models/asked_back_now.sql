-- changes judged_{e}, into held_back: what went back is asked about, and its record is left alone until all of it is answered
UPDATE judged_{{ entity }} AS j
SET
    action = CASE
        WHEN b.choice = 'leave' THEN 'leave'
        WHEN b.choice IS NULL THEN 'ask'
        WHEN b.unfit IS NOT NULL THEN 'unsyncable'
        WHEN b.chosen IS NULL AND if(b.choice = 'app', j.ghl_required, j.app_required) THEN 'unsyncable'
        ELSE 'agree'
    END,
    winner = CASE WHEN b.choice <> 'leave' THEN b.choice END,
    -- What a backup brought back is no ground of its own.
    ground = b.ground,
    fault = b.unfit,
    value = b.chosen,
    because = CASE
        WHEN b.choice IS NOT NULL THEN b.decided
        ELSE
            CASE b.side WHEN 'app' THEN 'the app''s' ELSE 'GHL''s' END
            || ' {{ phrase }}: is that value right, or '
            || CASE b.side WHEN 'app' THEN 'GHL''s' ELSE 'the app''s' END || '?'
    END
FROM asked_back AS b
WHERE b.link_id = j.link_id AND b.field = j.field AND b.item IS NOT DISTINCT FROM j.item;

INSERT INTO held_back BY NAME
SELECT DISTINCT
    '{{ entity }}' AS entity,
    side,
    link_id
FROM asked_back
WHERE choice IS NULL;

-- Our write would be the time of its last change, so that the rest would look new.
UPDATE judged_{{ entity }} AS j
SET
    action = 'ask',
    winner = NULL,
    fault = NULL,
    value = NULL,
    because = CASE h.side WHEN 'app' THEN 'the app''s' ELSE 'GHL''s' END
    || ' {{ phrase }}, and other values of it are not answered yet: '
    || 'a write of this one would make them look new'
FROM held_back AS h
WHERE
    h.entity = '{{ entity }}'
    AND h.link_id = j.link_id
    AND j.action = 'agree'
    AND j.winner <> h.side;

DROP TABLE asked_back;
