-- into released_{e}: tasks and notes that are left of a contact that is gone from both sides: they are the survivor's
--
-- Their contact was merged on one side and then deleted on the other, with its tasks and notes there.
INSERT INTO released_{{ entity }} BY NAME
SELECT
    b.link_id,
    b.app_key,
    b.ghl_key,
    b.parent,
    NULL AS gone,
    'its contact is gone from both sides, and it hangs on another one now' AS because
FROM base_{{ entity }} AS b
JOIN moved_{{ entity.parent }} AS m
    ON
        b.parent = m.link_id
        AND m.app_state IN ('absent', 'deleted')
        AND m.ghl_state IN ('absent', 'deleted')
LEFT JOIN raw_{{ entity }}_app AS a ON b.app_key = a.key AND NOT a.deleted
LEFT JOIN raw_{{ entity }}_ghl AS g ON b.ghl_key = g.key AND NOT g.deleted
WHERE
    (a.key IS NULL AND g.parent <> m.ghl_key)
    OR (g.key IS NULL AND a.parent <> m.app_key);
{% include 'link/models/_without_released.sql' %}
