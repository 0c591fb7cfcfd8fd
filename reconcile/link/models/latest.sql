-- query (key, modified_at): the linked contacts of a side that were changed last, as the ledger knows it
SELECT
    {{ side }}_key AS key,
    {{ side }}_modified AS modified_at
FROM base_{{ entity }}
WHERE {{ side }}_modified IS NOT NULL
ORDER BY {{ side }}_modified DESC, {{ side }}_key ASC
LIMIT 3
