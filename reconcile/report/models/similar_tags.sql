-- query (tag, other, uses, fewer): pairs of tags that are probably one: equal but for signs and spaces, or a letter apart
WITH tag_use AS (
    {% include 'report/models/tag_use.sql' %}

),

bare AS (
    SELECT
        tag,
        app + ghl AS uses,
        regexp_replace(lower(tag), '[^\p{L}\p{N}]', '', 'g') AS letters
    FROM tag_use
)

SELECT
    a.tag,
    b.tag AS other,
    a.uses,
    b.uses AS fewer
FROM bare AS a
JOIN bare AS b ON (a.uses, b.tag) > (b.uses, a.tag)
WHERE
    a.letters = b.letters
    OR a.letters = b.letters || 's'
    OR b.letters = a.letters || 's'
    OR (length(a.letters) > 5 AND levenshtein(a.letters, b.letters) = 1)
ORDER BY a.uses DESC, a.tag, b.tag
LIMIT {{ examples }}
