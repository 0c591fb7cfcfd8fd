-- into released_{e}: links with a missing end that a person said shall be made anew
--
-- A contact's tasks and notes lost the same end, and go with it.
{% from 'link/models/_covered.sql' import covered with context %}
INSERT INTO released_{{ entity }} BY NAME
WITH half AS (
    SELECT
        b.link_id,
        b.app_key,
        b.ghl_key,
        b.parent,
        CASE WHEN a.key IS NULL OR a.deleted THEN 'app' ELSE 'ghl' END AS gone,
        {{ covered('app') }} AS app_covered,
        {{ covered('ghl') }} AS ghl_covered
    FROM base_{{ entity }} AS b
    LEFT JOIN raw_{{ entity }}_app AS a ON b.app_key = a.key
    LEFT JOIN raw_{{ entity }}_ghl AS g ON b.ghl_key = g.key
    {% if entity.parent %}
    LEFT JOIN base_{{ entity.parent }} AS o ON b.parent = o.link_id
    {% endif %}
    WHERE (a.key IS NULL OR a.deleted) <> (g.key IS NULL OR g.deleted)
)

SELECT
    h.link_id,
    h.app_key,
    h.ghl_key,
    h.parent,
    h.gone,
    coalesce('decided by ' || d.by || ': ' || d.choice, {{ 'p.because' if entity.parent else 'NULL' }}) AS because
FROM half AS h
LEFT JOIN decision AS d
    ON
        d.hold_id = {{ hold_id('delete', entity, 'h.link_id') }}
        AND d.choice IN ('restore', 'relink')
        AND starts_with(d.values_digest, h.gone || '-')
{% if entity.parent %}
LEFT JOIN released_{{ entity.parent }} AS p ON h.parent = p.link_id AND h.gone = p.gone
WHERE
    p.link_id IS NOT NULL
    OR (d.hold_id IS NOT NULL AND CASE h.gone WHEN 'app' THEN h.app_covered ELSE h.ghl_covered END);
{% else %}
WHERE d.hold_id IS NOT NULL AND CASE h.gone WHEN 'app' THEN h.app_covered ELSE h.ghl_covered END;
{% endif %}
{% include 'link/models/_without_released.sql' %}
