-- query (created, met): how many records this run made on a side, and how many writing turned up that were not read there
SELECT
    count(*) FILTER (WHERE fate <> 'exists') AS created,
    count(*) FILTER (
        WHERE fate = 'exists' AND made_key NOT IN (SELECT key FROM raw_{{ entity }}_{{ side }})
    ) AS met
FROM fate
WHERE
    kind = 'create'
    AND entity = '{{ entity }}'
    AND side = '{{ side }}'
    AND fate IN ('done', 'value_dropped', 'exists')
