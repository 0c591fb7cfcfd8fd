-- want: a unique value that a write would give to a record
CREATE OR REPLACE TABLE want AS
WITH due AS (
    SELECT
        link_id,
        field,
        CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN ghl ELSE app END AS previous,
        CASE winner WHEN 'app' THEN app ELSE ghl END AS new_value
    FROM judged_{{ entity }}
    WHERE action = 'agree' AND item IS NULL AND field IN ({{ unique | map('literal') | join(', ') }})
)

SELECT
    d.link_id,
    d.field,
    d.target,
    CASE d.target WHEN 'app' THEN w.app_key ELSE w.ghl_key END AS key,
    d.previous,
    d.new_value
FROM due AS d
JOIN wide_{{ entity }} AS w USING (link_id);
