-- query (key, owner): named tasks or notes that are linked, with their contacts
SELECT
    b.{{ side }}_key AS key,
    o.{{ side }}_key AS owner
FROM base_{{ entity }} AS b
JOIN base_{{ entity.parent }} AS o ON b.parent = o.link_id
WHERE list_contains([{{ keys | map('literal') | join(', ') }}], b.{{ side }}_key);
