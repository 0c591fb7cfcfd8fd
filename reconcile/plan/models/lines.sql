-- query (line): operations of the plan as lines of its file, in order; members as `reconcile.values.jsonl` writes them
--
-- Made in SQL: a Python object for each operation takes ten times as long as the comparison does.
SELECT
    '{' || concat_ws(
        ',',
        '"after":' || nullif(after, '{}'),
        '"because":' || to_json(because),
        '"before":' || nullif(before, '{}'),
        '"entity":"' || entity || '"',
        '"grounds":' || nullif(grounds, '{}'),
        '"guard":' || to_json(guard),
        '"key":' || to_json(key),
        '"kind":"' || kind || '"',
        '"link_id":' || to_json(link_id),
        '"op_id":' || to_json(op_id),
        '"parent":' || to_json(parent),
        '"parent_key":' || to_json(parent_key),
        CASE risk WHEN 'low' THEN NULL ELSE '"risk":"' || risk || '"' END,
        '"side":"' || side || '"',
        '"source":' || nullif(source, '{}'),
        '"source_key":' || to_json(source_key),
        CASE WHEN starts_workflows THEN '"starts_workflows":true' END,
        CASE WHEN turn > 0 THEN '"turn":' || turn END
    ) || '}' AS line
FROM planned
WHERE seq > {{ start }} AND seq <= {{ stop }}
ORDER BY seq
