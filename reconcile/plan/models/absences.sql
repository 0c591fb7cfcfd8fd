-- into operation, hold: what becomes of links that lost an end
--
-- What goes on the side that still has it, what the ledger alone forgets, and what a person is asked about.
{% set last = phases.last(entity) %}
-- What is deleted goes last, once all that might have needed it is written; what is forgotten goes first, so that its key is
-- free for a new link.
INSERT INTO operation BY NAME
SELECT
    CASE x.action WHEN 'forget' THEN {{ phases.FORGET }} ELSE {{ last }} END AS phase,
    CASE x.action WHEN 'mirror' THEN 'delete' ELSE x.action END AS kind,
    '{{ entity }}' AS entity,
    x.side,
    x.link_id,
    x.key,
    CASE x.gone WHEN 'app' THEN x.app_key ELSE x.ghl_key END AS source_key,
    x.parent,
    {% if entity.parent %}
    coalesce(x.hangs_on, CASE x.side WHEN 'app' THEN o.app_key ELSE o.ghl_key END) AS parent_key,
    {% endif %}
    CASE WHEN x.action = 'forget' THEN '{}' ELSE x.cells END AS before,
    x.version AS guard,
    x.because,
    CASE x.action WHEN 'forget' THEN 'low' ELSE 'high' END AS risk
FROM absence_{{ entity }} AS x
{% if entity.parent %}
LEFT JOIN owner AS o ON x.parent = o.link_id
{% endif %}
WHERE x.action IN ('mirror', 'archive', 'forget');

INSERT INTO hold BY NAME
SELECT
    hold_id,
    'delete' AS kind,
    '{{ entity }}' AS entity,
    link_id AS subject,
    side,
    app_key,
    ghl_key,
    because,
    CASE
        -- The survivor is linked with another record already: there is nothing to link again, and to make it anew would bring
        -- back what somebody merged.
        WHEN merged IS NOT NULL THEN ['keep', 'delete']
        {% if entity.spec.read_only %}
        -- Of such a kind nothing is ever made in GHL.
        WHEN gone = 'ghl' THEN ['delete', 'keep']
        {% endif %}
        WHEN survivor IS NULL THEN ['delete', 'restore', 'keep']
        ELSE ['delete', 'relink', 'keep']
    END AS options,
    CASE
        WHEN survivor IS NULL THEN json_object('gone', gone, 'kept', cells, 'survivor', NULL)
        ELSE json_object(
            'gone', gone,
            'kept', cells,
            'survivor', survivor,
            'candidates', list_filter(list_distinct([survivor, merged]), lambda x: x IS NOT NULL)
        )
    END AS "values",
    values_digest
FROM absence_{{ entity }}
WHERE action = 'hold';
