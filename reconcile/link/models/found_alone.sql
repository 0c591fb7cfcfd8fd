-- into found_{e}: two records that meet alone, and that nothing else could be either
INSERT INTO found_{{ entity }} BY NAME
SELECT
    {{ link_id(entity, 'app', 'p.app_key') }} AS link_id,
    p.app_key,
    p.ghl_key,
    {{ 'f.parent_link' if entity.parent else 'NULL' }} AS parent,
    {{ rule.name | literal }} AS how
FROM pairs AS p
{% if entity.parent %}
JOIN free_{{ entity }}_app AS f ON p.app_key = f.key
{% endif %}
WHERE
    p.app_key NOT IN (SELECT key FROM crowded WHERE side = 'app')
    AND p.ghl_key NOT IN (SELECT key FROM crowded WHERE side = 'ghl');
