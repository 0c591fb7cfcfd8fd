-- query (place, cell): each distinct value of an old baseline whose row is not the same, to be read once more as the text it is
SELECT DISTINCT
    place,
    cell
FROM (
    SELECT
        generate_subscripts(b.{{ side }}, 1) AS place,
        unnest(b.{{ side }}) AS cell
    FROM basecell_{{ entity }} AS b
    JOIN aged AS x ON b.link_id = x.link_id
    WHERE NOT x.{{ side }}_same
)
WHERE cell IS NOT NULL
