-- changes delta_{e}: values that say something only together, of which each side moved its own, are a conflict
--
-- A blank that the other side fills contradicts nothing. Where both sides went to one pipeline, the one that says nothing of
-- the stage has left it as it is there.
{% from 'compare/models/_joint.sql' import together with context %}
UPDATE delta_{{ entity }} AS d
SET kind = 'conflict'
FROM delta_{{ entity }} AS o
WHERE
    d.link_id = o.link_id
    AND {{ together() }}
    AND d.kind IN ('app_moved', 'ghl_moved')
    AND (
        (o.kind IN ('app_moved', 'ghl_moved', 'conflict') AND d.kind <> o.kind)
        OR (o.kind = 'converged' AND o.app IS DISTINCT FROM o.base_app AND o.ghl IS DISTINCT FROM o.base_ghl)
    )
    AND d.app IS NOT NULL
    AND d.ghl IS NOT NULL;
