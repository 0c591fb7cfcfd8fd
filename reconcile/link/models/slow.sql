-- query (place, raw): each distinct value that SQL could not make canonical, marked, with its field's place
SELECT DISTINCT
    place,
    raw
FROM (
    SELECT
        generate_subscripts(cells, 1) AS place,
        unnest(cells) AS raw
    FROM rough_{{ entity }}_{{ side }}
)
WHERE starts_with(raw, {{ undone }})
