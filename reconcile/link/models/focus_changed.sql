-- query (key): contacts whose own row, task or note differs from what was last settled
{% set owner = 'parent' if entity.parent else 'key' %}
SELECT DISTINCT r.{{ owner }} AS key
FROM raw_{{ entity }}_{{ side }} AS r
LEFT JOIN base_{{ entity }} AS b ON r.key = b.{{ side }}_key
WHERE
    NOT r.deleted
    AND r.{{ owner }} IS NOT NULL
    AND b.{{ side }}_digest IS DISTINCT FROM r.digest;
