-- into due_owner: contacts that are about to be created, as tasks and notes may hang on them already
INSERT INTO due_owner BY NAME
SELECT
    link_id,
    CASE side WHEN 'ghl' THEN source_key END AS app_key,
    CASE side WHEN 'app' THEN source_key END AS ghl_key
FROM operation
WHERE kind = 'create' AND entity = '{{ entity }}';
