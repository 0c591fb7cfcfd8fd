-- query (link_id, app_key, ghl_key, parent, how): links that the plan makes in the ledger alone, of which nothing was compared
SELECT
    link_id,
    source_key,
    key,
    parent,
    because
FROM planned_link
{% if compared %}
ANTI JOIN (SELECT link_id FROM wide_{{ entity }} WHERE fresh AND NOT excluded) AS c USING (link_id)
{% endif %}
WHERE kind = 'adopt' AND entity = '{{ entity }}'
ORDER BY link_id
