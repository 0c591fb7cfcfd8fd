-- changes basecell_{e}: a value that a side dropped under another mapping of the field counts as never sent
--
-- It is tried again: the other side's baseline is then what this side shows, so that it has moved since.
UPDATE basecell_{{ entity }} AS b
SET {{ other }} = list_transform(  -- noqa: PRS
    b.{{ other }},
    LAMBDA cell, place: CASE WHEN list_contains(again.places, place) THEN b.{{ side }}[place] ELSE cell END
)
FROM (
    SELECT
        link_id,
        list(list_position([{{ fields | map(attribute='name') | map('literal') | join(', ') }}], field)) AS places
    FROM difference_{{ entity }}
    WHERE
        kind = 'dropped'
        AND NOT current
        AND side = '{{ side }}'
        AND item = ''
    GROUP BY link_id
) AS again
WHERE b.link_id = again.link_id;
