-- changes operation, into passed, hold: creates that would only be refused again are asked about
{% from 'plan/models/_refused.sql' import because %}
DELETE FROM operation
WHERE kind = 'create' AND entity = '{{ entity }}' AND link_id IN (SELECT r.link_id FROM refused_create AS r);

INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    CASE a.target WHEN 'app' THEN 'ghl' ELSE 'app' END AS side,
    a.source_key AS key,
    CASE WHEN d.choice = 'ignore' THEN 'excluded' ELSE 'ambiguous' END AS class,
    CASE WHEN d.choice = 'ignore' THEN 'decided by ' || d."by" || ': ignore; ' ELSE '' END || {{ because() }} AS because
FROM refused_create AS a
LEFT JOIN decision AS d USING (hold_id, values_digest);

INSERT INTO hold BY NAME
SELECT
    a.hold_id,
    'refused' AS kind,
    '{{ entity }}' AS entity,
    a.source_key AS subject,
    CASE a.target WHEN 'app' THEN 'ghl' ELSE 'app' END AS side,
    CASE a.target WHEN 'ghl' THEN a.source_key END AS app_key,
    CASE a.target WHEN 'app' THEN a.source_key END AS ghl_key,
    {{ because() }} AS because,
    ['retry', 'ignore'] AS options,
    json_object(
        'other_app_key', a.other_app,
        'other_ghl_key', CASE a.target WHEN 'ghl' THEN a.other_key ELSE a.other_ghl END
    ) AS "values",
    a.values_digest
FROM refused_create AS a
LEFT JOIN decision AS d USING (hold_id, values_digest)
WHERE d.choice IS NULL;
