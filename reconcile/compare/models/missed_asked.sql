-- changes absence_{e}: what is missing on a side that went back is no deletion in this run, but a question
UPDATE absence_{{ entity }} AS x
SET
    action = CASE m.choice WHEN 'delete' THEN 'mirror' WHEN 'keep' THEN 'ignore' ELSE 'hold' END,
    because = CASE
        WHEN m.choice IN ('delete', 'keep') THEN 'decided by ' || m."by" || ': ' || m.choice
        ELSE
            'missing from ' || x.where_gone
            || ', where other records went back to an older state, as a restored backup does: '
            || 'shall it be there again, or go from ' || x.where_kept || ' too?'
    END
FROM missed_{{ entity }} AS m
WHERE m.link_id = x.link_id;
