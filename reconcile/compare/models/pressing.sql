-- pressing: a contact with a note that was written, edited, moved or deleted in the app
--
-- Who was looked at since and left as it is (no rule makes it, a value is missing) presses nobody any more.
CREATE OR REPLACE TABLE pressing AS
WITH changed AS (
    SELECT
        c.parent,
        b.parent AS link
    FROM cell_{{ entity }}_app AS c
    JOIN base_{{ entity }} AS b ON c.key = b.app_key
    LEFT JOIN written AS w USING (link_id)
    WHERE NOT c.excluded AND (b.app_digest IS NOT NULL OR c.cells IS DISTINCT FROM w.cells)
),

created AS (
    SELECT c.parent
    FROM cell_{{ entity }}_app AS c
    ANTI JOIN base_{{ entity }} AS b ON c.key = b.app_key
    LEFT JOIN base_{{ entity.parent }} AS o ON c.parent = o.app_key
    LEFT JOIN swept AS s ON o.ghl_key = s.contact_key
    WHERE NOT c.excluded AND NOT coalesce(c.modified_at < s.checked_at, false)
),

deleted AS (
    SELECT b.parent AS link
    FROM base_{{ entity }} AS b
    LEFT JOIN raw_{{ entity }}_app AS r ON b.app_key = r.key
    WHERE {{ whole | lower }} AND (r.key IS NULL OR r.deleted) AND b.app_absent < {{ absent_runs }}
),

-- By the app's key, or by link.
pressed AS (
    SELECT
        parent,
        link
    FROM changed
    UNION ALL BY NAME
    SELECT parent
    FROM created
    UNION ALL BY NAME
    SELECT link
    FROM deleted
)

SELECT DISTINCT o.ghl_key AS key
FROM base_{{ entity.parent }} AS o
WHERE
    o.app_key IN (SELECT parent FROM pressed)
    OR o.link_id IN (SELECT link FROM pressed);
