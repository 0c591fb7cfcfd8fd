-- changes base_{e}, released_{e}: links that were taken apart by what a former look showed are whole again
INSERT INTO base_{{ entity }} BY NAME
FROM anew_{{ entity }};

DELETE FROM released_{{ entity }}
WHERE link_id IN (SELECT a.link_id FROM anew_{{ entity }} AS a);

DROP TABLE anew_{{ entity }};
