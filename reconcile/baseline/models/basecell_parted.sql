-- changes basecell_{e}: what GHL last showed is called as it is by now, where it names a record whose link was taken apart
UPDATE basecell_{{ entity }} AS b
SET ghl = list_transform(  -- noqa: PRS
    b.ghl,
    LAMBDA cell, place: CASE WHEN place = {{ place }} THEN p.now ELSE cell END
)
FROM new_name AS p
WHERE b.ghl[{{ place }}] = p.was;
