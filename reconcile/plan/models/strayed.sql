-- strayed_{e}: a task or note that hangs on another contact than when it was linked, with what is to become of it
--
-- `movable`: GHL's record can be made again on the contact where the app's is now, with all that it needs.
-- `apart`: the fields in which the two differ.
-- `same`: there is no doubt that the two are one thing; as two things they would stand twice on both sides.
{% from 'plan/models/_creation.sql' import filled, lacking, refused_without with context %}
{% from 'plan/models/_hanging.sql' import place, digest %}
CREATE OR REPLACE TABLE strayed_{{ entity }} AS
WITH stray AS (
    SELECT
        w.link_id,
        w.app_key,
        w.ghl_key,
        f.parent AS app_parent,
        c.parent AS ghl_parent,
        f.cells,
        c.cells AS ghl,
        c.version,
        {{ filled() }} AS filled,
        n.link_id AS parent,
        n.ghl_key AS parent_key,
        {{ place() }} AS hanging,
        {{ digest() }} AS values_digest,
        {{ hold_id('strayed', entity, 'w.link_id') }} AS hold_id,
        {{ allowed | lower }}
        AND NOT f.excluded
        AND n.ghl_key IS NOT NULL
        AND f.parent <> o.app_key
        AND {{ lacking() }} IS NULL
        AND {{ refused_without('ghl', 'filled') }} = []
        AND f.key NOT IN (SELECT key FROM fault_{{ entity }}_app) AS movable,
        f.cells IS NOT DISTINCT FROM c.cells
        OR f.cells IS NOT DISTINCT FROM b.app
        {% for places in match %}
        OR coalesce({% for at in places %}f.cells[{{ at }}] = c.cells[{{ at }}]{{ '' if loop.last else ' AND ' }}{% endfor %}, false)
        {% endfor %}
        AS same,
        list_filter(
            [{{ fields | map(attribute='name') | map('literal') | join(', ') }}],
            lambda name, place: f.cells[place] IS DISTINCT FROM c.cells[place]
        ) AS apart
    FROM wide_{{ entity }} AS w
    JOIN cell_{{ entity }}_app AS f ON w.app_key = f.key
    JOIN cell_{{ entity }}_ghl AS c ON w.ghl_key = c.key
    JOIN raw_{{ entity }}_app AS a ON w.app_key = a.key
    JOIN raw_{{ entity }}_ghl AS g ON w.ghl_key = g.key
    LEFT JOIN basecell_{{ entity }} AS b ON w.link_id = b.link_id
    LEFT JOIN moved_{{ entity }} AS m ON w.link_id = m.link_id
    LEFT JOIN owner AS o ON m.parent = o.link_id
    LEFT JOIN owner AS n ON f.parent = n.app_key
    WHERE w.strayed
)

SELECT
    s.*,
    d."by",
    CASE
        WHEN d.choice = 'keep' THEN 'keep'
        WHEN d.choice = 'move' AND s.movable THEN 'move'
        ELSE 'ask'
    END AS action
FROM stray AS s
LEFT JOIN decision AS d
    ON
        s.hold_id = d.hold_id
        AND CASE d.choice
            WHEN 'keep' THEN starts_with(d.values_digest, s.hanging || '-')
            ELSE d.values_digest = s.values_digest
        END;
