-- into found_{e}: two free records of which a person said that they are one
INSERT INTO found_{{ entity }} BY NAME
SELECT
    {{ link_id(entity, 'app', 'f.key') }} AS link_id,
    f.key AS app_key,
    g.key AS ghl_key,
    {{ 'f.parent_link' if entity.parent else 'NULL' }} AS parent,
    'decided by ' || d.by AS how
FROM free_{{ entity }}_app AS f
JOIN decision AS d ON d.hold_id = {{ hold_id('unsure', entity, "'app'", 'f.key') }}
JOIN free_{{ entity }}_ghl AS g
    ON
        d.choice = 'link:' || g.key
        {% if entity.parent %}
        AND f.parent_link IS NOT DISTINCT FROM g.parent_link
        {% endif %}
-- Two answers that name the same record contradict each other: neither counts.
QUALIFY count(*) OVER (PARTITION BY g.key) = 1;
