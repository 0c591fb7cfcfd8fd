-- created_{e}: a record that this run made: what was sent, and what the side says it stores
--
-- Of a part of the operations: the values of a million records, each with its text, are more than 512 MB.
{% from 'report/models/_unsent.sql' import without %}
{% set sent = without('f.after', 'f.unsent') %}
CREATE OR REPLACE TABLE created_{{ entity }} AS
WITH changed AS (
    SELECT
        op_id,
        list(field) AS fields,
        any_value(because) AS because
    FROM residual
    GROUP BY op_id
){% if faulty %},

faults AS (
    {% for side in faulty %}
    SELECT
        '{{ side.other }}' AS side,
        key,
        list(field) AS fields
    FROM fault_{{ entity }}_{{ side }}
    GROUP BY key
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)
{% endif %}

SELECT
    f.link_id,
    f.side,  -- where it was made
    CASE f.side WHEN 'app' THEN f.made_key ELSE f.source_key END AS app_key,
    CASE f.side WHEN 'ghl' THEN f.made_key ELSE f.source_key END AS ghl_key,
    f.fate,
    r.fields AS changed,  -- fields that were read back otherwise; '*' for a record that is gone again
    r.because AS residual,
    {{ 'x.fields' if faulty else 'NULL::VARCHAR[]' }} AS faults,  -- fields of the other side's record that cannot be read
    from_json(f.source, {{ form | literal }}) AS source,  -- what the other side's record holds
    from_json({{ sent }}, {{ form | literal }}) AS sent,
    from_json(coalesce(o.outcome ->> '$.after', {{ sent }}), {{ form | literal }}) AS held  -- what the new record holds
FROM fate AS f
LEFT JOIN outcome AS o USING (op_id)
{% if faulty %}
LEFT JOIN faults AS x ON f.side = x.side AND f.source_key = x.key
{% endif %}
LEFT JOIN changed AS r USING (op_id)
WHERE
    f.rowid >= {{ start }}
    AND f.rowid < {{ stop }}
    AND f.kind = 'create'
    AND f.entity = '{{ entity }}'
    AND f.fate IN ('done', 'value_dropped', 'exists');
