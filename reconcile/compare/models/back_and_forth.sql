-- query (link_id, field, item, app, ghl, base_app, base_ghl): what moved on a side after a run wrote to it
SELECT
    d.link_id,
    d.field,
    d.item,
    d.app,
    d.ghl,
    d.base_app,
    d.base_ghl
FROM delta_{{ entity }} AS d
JOIN wide_{{ entity }} AS w USING (link_id)
WHERE
    NOT w.fresh
    AND (
        (d.app IS DISTINCT FROM d.base_app AND w.app_written >= {{ since | literal }})
        OR (d.ghl IS DISTINCT FROM d.base_ghl AND w.ghl_written >= {{ since | literal }})
    )
ORDER BY ALL
