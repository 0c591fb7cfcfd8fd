-- query (number): how many operations belong to no record
{% from 'report/models/_links.sql' import links_made_again, released_links, resettled_links with context %}
SELECT count(*)
FROM fate
WHERE
    entity = '{{ entity }}'
    AND NOT (
        CASE
            WHEN kind = 'create' AND side = 'ghl'
                THEN source_key IN (SELECT key FROM row_{{ entity }}_app)
            WHEN kind = 'create'
                THEN source_key IN (SELECT key FROM row_{{ entity }}_ghl)
            WHEN kind = 'forget'
                THEN
                    link_id IN (SELECT link_id FROM tie_{{ entity }})
                    OR link_id IN ({{ released_links() }})
            WHEN kind = 'delete'
                THEN
                    link_id IN (SELECT link_id FROM tie_{{ entity }})
                    OR link_id IN ({{ resettled_links() }})
                    OR link_id IN ({{ links_made_again() }})
            ELSE link_id IN (SELECT link_id FROM tie_{{ entity }})
        END
    )
