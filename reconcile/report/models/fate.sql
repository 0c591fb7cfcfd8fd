-- fate: an operation with what became of it; before apply, as if all were done
CREATE OR REPLACE TABLE fate AS
SELECT
    p.seq,
    p.op_id,
    p.kind,
    CASE p.entity
        {% for kind in sets %}
        WHEN '{{ kind }}' THEN '{{ kind.record }}'
        {% endfor %}
        ELSE p.entity
    END AS entity,
    p.side,
    p.link_id,
    p.key,
    p.source_key,
    p.source,
    p.before,
    p.after,
    -- fields of `after` that waited for what they name; of nearly all operations none
    CASE
        WHEN contains(o.outcome, '"unsent":')
            THEN from_json(o.outcome ->> '$.unsent', '["VARCHAR"]')
    END AS unsent,
    p.because,
    o.key AS made_key,
    o.detail,
    {% if applied %}
    CASE
        WHEN p.kind IN ('adopt', 'forget') THEN 'done'
        WHEN o.op_id IS NULL THEN 'skipped'
        WHEN o.status = 'rejected' AND o.code = 'EXISTS' THEN 'exists'
        WHEN o.status = 'done' AND o.code = 'VALUE_DROPPED' THEN 'value_dropped'
        WHEN o.status = 'uncertain' THEN 'in_doubt'
        ELSE o.status
    END AS fate
    {% else %}
    'done' AS fate
    {% endif %}
FROM planned AS p
LEFT JOIN outcome AS o USING (op_id);
