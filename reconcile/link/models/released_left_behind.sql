-- into released_{e}: tasks and notes of a contact that goes because it was merged: they are the survivor's from now on
INSERT INTO released_{{ entity }} BY NAME
SELECT
    b.link_id,
    b.app_key,
    b.ghl_key,
    b.parent,
    NULL AS gone,
    'its contact was merged into another one, with which it goes on' AS because
FROM base_{{ entity }} AS b
JOIN left_behind AS c ON b.parent = c.link_id
JOIN raw_{{ entity }}_app AS a ON b.app_key = a.key AND NOT a.deleted
JOIN raw_{{ entity }}_ghl AS g ON b.ghl_key = g.key AND NOT g.deleted
WHERE c.survivor = CASE c.side WHEN 'app' THEN a.parent ELSE g.parent END;
{% include 'link/models/_without_released.sql' %}
