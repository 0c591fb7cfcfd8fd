-- into operation: links that were found; nothing but the ledger learns of them
INSERT INTO operation BY NAME
SELECT
    {{ phases.ADOPT }} AS phase,
    'adopt' AS kind,
    '{{ entity }}' AS entity,
    'ghl' AS side,
    link_id,
    ghl_key AS key,
    app_key AS source_key,
    parent,
    CASE WHEN how LIKE 'decided%' THEN how ELSE 'the two records have the same ' || how END AS because
FROM found_{{ entity }};
