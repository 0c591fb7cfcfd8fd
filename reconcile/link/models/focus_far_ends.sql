-- query (key, far): contacts in focus, with the key of each on the other side; NULL where no link knows it
SELECT
    f.key,
    b.{{ other }}_key AS far
FROM focus AS f
LEFT JOIN base_{{ entity }} AS b ON f.key = b.{{ side }}_key
WHERE f.side = '{{ side }}';
