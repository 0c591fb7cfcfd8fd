-- tie_{e}: a link as the run leaves it
--
-- app_row, ghl_row: whether the side's row is there; app_state, ghl_state: present, absent, deleted or unknown (not read);
-- paired: whether both ends count as there after the run; fresh: linked in this run.
{% from 'report/models/_classes.sql' import urgency, class_at with context %}
{% from 'report/models/_links.sql' import resettled_links with context %}
{% from 'compare/models/_strayed.sql' import elsewhere %}
{% set of_record = "CASE class WHEN 'by_rule' THEN 'accepted' WHEN 'dropped' THEN 'value_dropped' ELSE class END" %}
CREATE OR REPLACE TABLE tie_{{ entity }} AS
WITH base AS (
    FROM base_{{ entity }}
    WHERE link_id NOT IN ({{ resettled_links() }})
),

{% if entity.parent %}
-- what the run deleted, and what hangs on it with it; not what somebody had hung on another contact
deleted_parent AS (
    SELECT DISTINCT link_id
    FROM fate
    WHERE kind IN ('delete', 'archive') AND fate = 'done' AND entity = '{{ entity.parent }}'
),

{% endif %}
{% if standing %}
-- unmoved links whose sides are known to differ, with the most urgent class of each
standing AS (
    SELECT
        link_id,
        min({{ urgency(of_record) }}) AS place
    FROM standing_{{ entity }}
    GROUP BY link_id
),

{% endif %}
known AS (
    SELECT
        b.link_id,
        b.app_key,
        b.ghl_key,
        a.key IS NOT NULL AS app_row,
        g.key IS NOT NULL AS ghl_row,
        m.link_id IS NOT NULL AS moved,
        coalesce(
            a.digest = b.app_digest AND g.digest = b.ghl_digest AND NOT a.deleted AND NOT g.deleted, false
        ) AS same,
        coalesce(m.app_state, CASE WHEN a.key IS NULL THEN 'unknown' ELSE 'present' END) AS app_state,
        coalesce(m.ghl_state, CASE WHEN g.key IS NULL THEN 'unknown' ELSE 'present' END) AS ghl_state,
        {{ 'd.link_id IS NOT NULL AND NOT (' ~ elsewhere() ~ ')' if entity.parent else 'false' }} AS contact_deleted
    FROM base AS b
    LEFT JOIN moved_{{ entity }} AS m USING (link_id)
    LEFT JOIN raw_{{ entity }}_app AS a ON b.app_key = a.key
    LEFT JOIN raw_{{ entity }}_ghl AS g ON b.ghl_key = g.key
    {% if entity.parent %}
    LEFT JOIN deleted_parent AS d ON b.parent = d.link_id
    LEFT JOIN base_{{ entity.parent }} AS o ON b.parent = o.link_id
    {% endif %}
),

ends AS (
    SELECT
        *,
        app_state IN ('absent', 'deleted') AS app_gone,
        ghl_state IN ('absent', 'deleted') AS ghl_gone
    FROM known
)

SELECT
    e.link_id,
    e.app_key,
    e.ghl_key,
    e.app_row,
    e.ghl_row,
    e.app_state,
    e.ghl_state,
    CASE
        WHEN p.class = 'unexplained' THEN p.class
        WHEN e.contact_deleted AND NOT (e.app_gone AND e.ghl_gone) THEN 'deleted'
        WHEN e.moved AND e.app_state = 'present' AND e.ghl_state = 'present'
            THEN coalesce(p.class, 'unexplained')
        WHEN e.moved THEN coalesce(x.class, 'unexplained')
        {% if standing %}
        WHEN e.same AND s.link_id IS NOT NULL THEN {{ class_at('s.place') }}
        {% endif %}
        WHEN e.same THEN 'in_sync'
        ELSE 'unexplained'
    END AS class,
    CASE WHEN e.contact_deleted THEN 'its contact was deleted, and it with it' ELSE x.because END AS because,
    NOT e.contact_deleted AND NOT e.app_gone AND NOT e.ghl_gone AS paired,
    false AS fresh
FROM ends AS e
LEFT JOIN pair AS p USING (link_id)
LEFT JOIN absent_{{ entity }} AS x USING (link_id)
{% if standing %}
LEFT JOIN standing AS s USING (link_id)
{% endif %}
UNION ALL BY NAME
SELECT
    f.link_id,
    f.app_key,
    f.ghl_key,
    true AS app_row,
    true AS ghl_row,
    'present' AS app_state,
    'present' AS ghl_state,
    coalesce(p.class, 'unexplained') AS class,
    'the same ' || f.how AS because,
    true AS paired,
    true AS fresh
FROM found_{{ entity }} AS f
LEFT JOIN pair AS p USING (link_id);
