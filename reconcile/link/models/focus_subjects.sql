-- query (subject): what a partial run looked at from both sides: links that it read whole, and records that it looked for
SELECT b.link_id AS subject
FROM base_{{ entity }} AS b
SEMI JOIN raw_{{ entity }}_app AS a ON b.app_key = a.key
SEMI JOIN raw_{{ entity }}_ghl AS g ON b.ghl_key = g.key
UNION
SELECT key
FROM looked
WHERE entity = '{{ entity }}';
