
DELETE FROM base_{{ entity }}
WHERE link_id IN (SELECT link_id FROM released_{{ entity }});
