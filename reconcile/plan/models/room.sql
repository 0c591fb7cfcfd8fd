-- into operation: the writes that clear a value, to break a ring of records that pass values on to one another
INSERT INTO operation BY NAME
SELECT
    {{ phase }} AS phase,
    'update' AS kind,
    '{{ entity }}' AS entity,
    target AS side,
    link_id,
    w.key,
    CASE target WHEN 'app' THEN x.ghl_key ELSE x.app_key END AS source_key,
    '{' || to_json(field) || ':' || to_json(w.previous) || '}' AS before,
    '{' || to_json(field) || ':null}' AS after,
    field
    || ': makes room, as the same run gives this value to another record and this one gets its own right after' AS because
FROM want AS w
JOIN lot_{{ entity }} AS l USING (link_id, field, target)
JOIN wide_{{ entity }} AS x USING (link_id)
WHERE l.room;
