-- refused_create: a record whose creation would only be refused again: another has its email or phone, or the side takes none such
CREATE OR REPLACE TABLE refused_create AS
SELECT
    o.link_id,
    o.side AS target,
    o.source_key,
    r.other_key,
    r.code,
    r.code IN ({{ shared | map('literal') | join(', ') }}) AS shared,
    b.app_key AS other_app,
    b.ghl_key AS other_ghl,
    {{ hold_id('refused', entity, 'o.link_id', "'*'") }} AS hold_id,
    md5(r.sent || r.run_id)[1:20] AS values_digest
FROM operation AS o
JOIN difference_{{ entity }} AS r
    ON
        o.link_id = r.link_id
        AND r.field = '*'
        AND r.kind = 'rejected'
        AND o.side = r.side
        AND o.after = r.sent
LEFT JOIN base_{{ entity }} AS b ON CASE o.side WHEN 'app' THEN b.app_key ELSE b.ghl_key END = r.other_key
LEFT JOIN raw_{{ entity }}_app AS ca ON o.side = 'app' AND r.other_key = ca.key
LEFT JOIN raw_{{ entity }}_ghl AS cg ON o.side = 'ghl' AND r.other_key = cg.key
WHERE
    o.kind = 'create'
    AND o.entity = '{{ entity }}'
    -- The other record is as it was when it was named; where no time says so, it is enough that it may still be there.
    AND (r.code NOT IN ({{ shared | map('literal') | join(', ') }}) OR coalesce(
        coalesce(ca.modified_at, cg.modified_at) <= r.at,
        r.other_key IS NULL
        OR (o.side = 'app' AND ({{ partly.app | lower }} OR ca.key IS NOT NULL))
        OR (o.side = 'ghl' AND ({{ partly.ghl | lower }} OR cg.key IS NOT NULL))
    ));

DELETE FROM refused_create
WHERE hold_id IN (
    SELECT r.hold_id
    FROM refused_create AS r
    JOIN decision AS d USING (hold_id, values_digest)
    WHERE d.choice = 'retry'
);
