-- query (app_key, ghl_key): the linked records of a kind that others name, those among them that this run links
SELECT
    app_key,
    ghl_key
FROM base_{{ entity }}
UNION ALL
SELECT
    app_key,
    ghl_key
FROM found_{{ entity }};
