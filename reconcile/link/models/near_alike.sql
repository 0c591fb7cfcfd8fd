-- into near: contacts that share an identity with one that is near
INSERT INTO near BY NAME
SELECT DISTINCT
    b.side,
    b.key
FROM near AS n
JOIN known_by AS a USING (side, key)
JOIN known_by AS b USING (rule, identity)
WHERE (b.side, b.key) NOT IN (SELECT (m.side, m.key) FROM near AS m);
