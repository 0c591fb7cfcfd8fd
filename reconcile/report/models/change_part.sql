-- change_part: some operations, each with what became of it, on their way into the report
{% from 'report/models/_unsent.sql' import without %}
CREATE OR REPLACE TABLE change_part AS
WITH fates AS (
    SELECT
        op_id,
        entity AS of_entity,
        made_key,
        unsent,
        fate
    FROM fate
    WHERE seq > {{ start }} AND seq <= {{ stop }}
)

SELECT
    p.seq,
    p.op_id,
    p.entity,
    p.kind,
    p.side,
    p.key,
    p.source_key,
    p.parent,
    ({{ without('p.before', 'f.unsent') }})::VARCHAR AS before,
    ({{ without('p.after', 'f.unsent') }})::VARCHAR AS after,
    p.because,
    p.risk,
    p.starts_workflows,
    f.of_entity,  -- contact for tags
    f.made_key,
    f.fate,
    coalesce(o.code, '') AS code,
    coalesce(o.detail, '') AS detail,
    o.trace_id,
    CASE WHEN o.code = 'VALUE_DROPPED' THEN o.outcome END AS outcome,
    CASE p.side WHEN 'app' THEN p.key ELSE p.source_key END AS app_key,  -- before the operation
    CASE p.side WHEN 'ghl' THEN p.key ELSE p.source_key END AS ghl_key
FROM (FROM planned WHERE seq > {{ start }} AND seq <= {{ stop }}) AS p
JOIN fates AS f USING (op_id)
LEFT JOIN outcome AS o USING (op_id);
