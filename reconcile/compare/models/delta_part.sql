-- into delta_{e}: what differs in some of the links, of which `cells` puts both sides' cells side by side
{% set sets = fields | selectattr('by_item') | map(attribute='name') | map('literal') | join(', ') %}
{% set holders = ['base_app', 'base_ghl', 'app', 'ghl'] %}
INSERT INTO delta_{{ entity }} BY NAME
WITH cell AS (
    SELECT
        link_id,
        fresh,
        newer,
        app_key,
        ghl_key,
        generate_subscripts(app, 1) AS place,
        unnest(base_app) AS base_app,
        unnest(base_ghl) AS base_ghl,
        unnest(app) AS app,
        unnest(ghl) AS ghl
    FROM ({{ cells }})
    WHERE app IS DISTINCT FROM ghl OR NOT fresh
),

apart AS (
    SELECT
        * EXCLUDE (fresh, place),
        [{{ fields | map(attribute='name') | map('literal') | join(', ') }}][place] AS field
    FROM cell
    WHERE
        app IS DISTINCT FROM ghl
        OR (NOT fresh AND (app IS DISTINCT FROM base_app OR ghl IS DISTINCT FROM base_ghl))
),

{% if sets %}
-- Of a set, each item is a difference of its own.
sets AS (
    SELECT
        {% for holder in holders %}
        coalesce(from_json({{ holder }}, '["VARCHAR"]'), []) AS {{ holder }},
        {% endfor %}
        * EXCLUDE (base_app, base_ghl, app, ghl)
    FROM apart
    WHERE field IN ({{ sets }})
),

items AS (
    SELECT
        *,
        unnest(
            list_distinct(list_concat(list_concat(app, ghl), list_concat(base_app, base_ghl)))
        ) AS item
    FROM sets
),

{% endif %}
single AS (  -- noqa: ST03
    SELECT
        *,
        NULL::VARCHAR AS item
    FROM apart
    {% if sets %}
    WHERE field NOT IN ({{ sets }})
    UNION ALL BY NAME
    SELECT
        {% for holder in holders %}
        CASE WHEN list_contains({{ holder }}, item) THEN item END AS {{ holder }},
        {% endfor %}
        * EXCLUDE (base_app, base_ghl, app, ghl)
    FROM items
    WHERE
        NOT (
            list_contains(app, item)
            AND list_contains(ghl, item)
            AND list_contains(base_app, item)
            AND list_contains(base_ghl, item)
        )
    {% endif %}
)

SELECT
    d.* EXCLUDE (app_key, ghl_key),
    {% include 'compare/models/_kind.sql' %}  -- noqa: PRS
    AS kind,
    fa.why AS app_fault,
    fg.why AS ghl_fault
FROM single AS d
LEFT JOIN fault_{{ entity }}_app AS fa ON d.app_key = fa.key AND d.field = fa.field
LEFT JOIN fault_{{ entity }}_ghl AS fg ON d.ghl_key = fg.key AND d.field = fg.field;
