-- query: some links of wide_{e}, each with its cells side by side as lists; where a row is an echo, the baseline's
SELECT
    w.*,
    b.app AS base_app,
    b.ghl AS base_ghl,
    CASE WHEN w.app_echo THEN b.app ELSE a.cells END AS app,
    CASE WHEN w.ghl_echo THEN b.ghl ELSE g.cells END AS ghl
FROM (
    SELECT *
    FROM wide_{{ entity }}
    WHERE rowid >= {{ start }} AND rowid < {{ stop }} AND {{ where }}
) AS w
JOIN cell_{{ entity }}_app AS a ON w.app_key = a.key
JOIN cell_{{ entity }}_ghl AS g ON w.ghl_key = g.key
LEFT JOIN basecell_{{ entity }} AS b ON w.link_id = b.link_id
