-- refused_create: a record whose creation would only be refused again: another has its email or phone, or the side takes none such
{% from 'plan/models/_holders.sql' import holders with context %}
CREATE OR REPLACE TABLE refused_create AS
WITH wanted AS (
    {% if not unique_holders %}
    SELECT
        NULL::VARCHAR AS link_id,
        NULL::VARCHAR AS target,
        NULL::VARCHAR AS field,
        NULL::VARCHAR AS sent
    WHERE false
    {% endif %}
    {% for each in unique_holders %}
    SELECT
        link_id,
        side AS target,
        {{ each.field | literal }} AS field,
        json_extract_string(sent, {{ each.field | literal }}) AS sent
    FROM difference_{{ entity }}
    WHERE field = '*' AND kind = 'rejected' AND side = '{{ each.side }}'
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
),

-- The other record has one of the values as it is read now, whatever else of it was changed since.
kept AS (
    {% if not unique_holders %}
    SELECT
        NULL::VARCHAR AS link_id,
        NULL::VARCHAR AS key
    WHERE false
    {% endif %}
    {% for each in unique_holders %}
    SELECT
        w.link_id,
        h.key
    FROM wanted AS w
    JOIN (
        {{ holders(each, 'wanted', 'sent') }}
    ) AS h
        ON w.target = '{{ each.side }}' AND w.field = {{ each.field | literal }} AND w.sent = h.new_value
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)

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
    -- The other record has the value, or is as it was when it was named; where no time says so, it is enough that it may still
    -- be there.
    AND (r.code NOT IN ({{ shared | map('literal') | join(', ') }}) OR (o.link_id, r.other_key) IN (FROM kept) OR coalesce(
        coalesce(ca.modified_at, cg.modified_at) <= r.at,
        r.other_key IS NULL
        OR (o.side = 'app' AND ({{ partly.app | lower }} OR ca.key IS NOT NULL))
        OR (o.side = 'ghl' AND ({{ partly.ghl | lower }} OR cg.key IS NOT NULL))
    ));

-- A person said that the side takes it by now: it is sent once more.
DELETE FROM refused_create
WHERE hold_id IN (
    SELECT r.hold_id
    FROM refused_create AS r
    JOIN decision AS d USING (hold_id, values_digest)
    WHERE d.choice = 'retry'
);
