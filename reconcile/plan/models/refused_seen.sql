-- query (entity, link_id, field, key): who was seen to have a value that a side refused
SELECT
    entity,
    subject AS link_id,
    field,
    CASE side
        WHEN 'app' THEN json_extract_string("values", 'other_app_key')
        ELSE json_extract_string("values", 'other_ghl_key')
    END AS other_key
FROM hold
WHERE kind = 'refused' AND field IS NOT NULL AND other_key IS NOT NULL
ORDER BY ALL
