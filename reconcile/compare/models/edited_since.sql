-- query (link_id, field, item, cell): values of a side that moved, in records that did not go back as a whole
--
-- A row that somebody edited after it was restored has a new time; what else it holds is as old as the others'.
SELECT
    d.link_id,
    d.field,
    d.item,
    d.{{ side }} AS cell
FROM delta_{{ entity }} AS d
JOIN wide_{{ entity }} AS w USING (link_id)
WHERE
    NOT w.fresh
    AND d.kind IN ('{{ side }}_moved', 'conflict')
    AND d.{{ side }} IS DISTINCT FROM d.base_{{ side }}
    AND d.link_id NOT IN (
        SELECT r.link_id
        FROM rewound AS r
        WHERE r.entity = '{{ entity }}' AND r.side = '{{ side }}'
    )
ORDER BY ALL
