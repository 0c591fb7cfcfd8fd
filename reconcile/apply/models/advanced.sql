-- query ({{ selected | join(', ') }}): looked-at links, of which `links` puts both sides' cells side by side, as the ledger
-- is to know them
--
-- Where something is pending, or the row is an echo, no digest is remembered: the link is looked at again.
{% from 'apply/models/_cells.sql' import cells with context %}
WITH looked_at AS (
    SELECT
        w.* REPLACE (
            CASE WHEN p.link_id IS NULL AND NOT w.app_echo THEN w.app_digest END AS app_digest,
            CASE WHEN p.link_id IS NULL AND NOT w.ghl_echo THEN w.ghl_digest END AS ghl_digest
        ),
        f.parent,
        f.how,
        p.fields,
        p.items,
        p.link_id IS NULL AS quiet
    FROM ({{ links }}) AS w
    LEFT JOIN found_{{ entity }} AS f ON w.link_id = f.link_id
    LEFT JOIN pending AS p ON w.link_id = p.link_id
),

app_shown AS (
    SELECT
        *,
        {{ cells('app') }} AS app_cells
    FROM looked_at
),

-- Most links are quiet, and both their ends alike: their cells are put together once.
both_shown AS (
    SELECT
        *,
        CASE
            WHEN quiet AND app IS NOT DISTINCT FROM ghl THEN app_cells
            ELSE {{ cells('ghl') }}
        END AS ghl_cells
    FROM app_shown
),

advanced AS (
    SELECT
        * REPLACE (
            NULL AS app_written,
            NULL AS ghl_written
        ),
        '{{ entity }}' AS entity,
        {{ run_id | literal }} AS since_run,
        {{ codecs | literal }} AS codecs,
        0 AS app_absent,
        0 AS ghl_absent
    FROM both_shown
)

SELECT {{ selected | join(', ') }}
FROM advanced
