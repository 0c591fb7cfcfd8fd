-- into released_{e}, changes base_{e}: tasks and notes that hang on two people by now; each finds its contact anew
INSERT INTO released_{{ entity }} BY NAME
SELECT
    b.link_id,
    b.app_key,
    b.ghl_key,
    b.parent,
    p.because
FROM base_{{ entity }} AS b
JOIN released_{{ entity.parent }} AS p ON b.parent = p.link_id AND p.gone IS NULL;

DELETE FROM base_{{ entity }}
WHERE link_id IN (SELECT r.link_id FROM released_{{ entity }} AS r);
