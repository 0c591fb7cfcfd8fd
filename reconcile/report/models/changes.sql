-- query: the operations of change_part, in the plan's order, with the names of their records
{% set parents = entities | selectattr('children') | list %}
WITH subject AS (
    SELECT DISTINCT
        of_entity,
        app_key,
        ghl_key
    FROM change_part
),

named AS (
    {% for entity in entities %}
    SELECT DISTINCT ON (s.app_key, s.ghl_key)
        s.of_entity,
        s.app_key,
        s.ghl_key,
        coalesce(a.label, g.label) AS label
    FROM subject AS s
    LEFT JOIN name_{{ entity }}_app AS a ON s.app_key = a.key
    LEFT JOIN name_{{ entity }}_ghl AS g ON s.ghl_key = g.key
    WHERE s.of_entity = '{{ entity }}'
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
){% if parents %},

parent AS (
    {% for entity in parents %}
    SELECT
        o.link_id,
        any_value(coalesce(a.label, g.label)) AS label
    FROM (FROM owner WHERE link_id IN (SELECT parent FROM change_part)) AS o
    LEFT JOIN name_{{ entity }}_app AS a ON o.app_key = a.key
    LEFT JOIN name_{{ entity }}_ghl AS g ON o.ghl_key = g.key
    GROUP BY o.link_id
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)
{% endif %}

SELECT
    p.op_id,
    p.entity,
    p.kind,
    p.side,
    coalesce(n.label, p.key, p.source_key) AS label,
    {{ 'o.label' if parents else 'NULL' }} AS under,
    coalesce(p.app_key, CASE p.side WHEN 'app' THEN p.made_key END) AS app_key,
    coalesce(p.ghl_key, CASE p.side WHEN 'ghl' THEN p.made_key END) AS ghl_key,
    p.before,
    p.after,
    p.because,
    p.fate AS status,
    p.code,
    p.detail,
    p.trace_id,
    p.outcome,
    p.risk,
    p.starts_workflows
FROM change_part AS p
LEFT JOIN named AS n
    ON
        p.of_entity = n.of_entity
        AND p.app_key IS NOT DISTINCT FROM n.app_key
        AND p.ghl_key IS NOT DISTINCT FROM n.ghl_key
{% if parents %}
LEFT JOIN parent AS o ON p.parent = o.link_id
{% endif %}
ORDER BY p.seq
