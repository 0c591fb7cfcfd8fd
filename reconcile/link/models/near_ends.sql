-- into near: the other ends of linked contacts that are near
INSERT INTO near BY NAME
SELECT
    '{{ side.other }}' AS side,
    b.{{ side.other }}_key AS key
FROM base_{{ entity }} AS b
JOIN near AS n ON b.{{ side }}_key = n.key AND n.side = '{{ side }}'
WHERE ('{{ side.other }}', b.{{ side.other }}_key) NOT IN (SELECT (m.side, m.key) FROM near AS m);
