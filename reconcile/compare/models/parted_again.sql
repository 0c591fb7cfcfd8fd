-- into unsure_{e}, changes free_{e}_{s}: a record that would be made beside a row that may be it, where some went back
--
-- A restored row shows a person as he was. His link may be another one by now, or forgotten, and his values across were
-- corrected meanwhile, so that no match rule joins the two: that they contradict one another proves nothing here. Two
-- records were linked once, or have an identity in common: a person is asked, and asked until there is an answer.
{% from 'link/models/_identities.sql' import identities with context %}
{#- Whether a row is not the one that the ledger last saw under its key: it has no link, or it changed. -#}
{% macro restless(side) -%}
SELECT key
FROM unlinked_{{ entity }}_{{ side }}
UNION ALL
SELECT {{ side }}_key AS key
FROM moved_{{ entity }}
WHERE {{ side }}_row IS DISTINCT FROM {{ side }}_digest OR {{ other[side] }}_state IN ('absent', 'deleted')
{%- endmacro %}
CREATE OR REPLACE TABLE parted_again AS
WITH alike AS (
    SELECT
        app_key,
        ghl_key,
        '{{ phrase }}: the two were linked before' AS rule
    FROM parted
    WHERE entity = '{{ entity }}'
    {% for rule in rules %}
    UNION ALL
    SELECT
        a.key AS app_key,
        g.key AS ghl_key,
        {{ (phrase ~ ', and has the same ' ~ rule.name) | literal }} AS rule
    FROM ({{ identities(rule, 'app', rows='cell') }}) AS a
    JOIN ({{ identities(rule, 'ghl', rows='cell') }}) AS g ON a.identity = g.identity
    {% endfor %}
),

pair AS (
    SELECT
        p.app_key,
        p.ghl_key,
        min(p.rule) AS rule,
        p.app_key IN (FROM free_{{ entity }}_app SELECT key) AS app_free,
        p.ghl_key IN (FROM free_{{ entity }}_ghl SELECT key) AS ghl_free
    FROM alike AS p
    SEMI JOIN ({{ restless('app') }}) AS a ON p.app_key = a.key
    SEMI JOIN ({{ restless('ghl') }}) AS g ON p.ghl_key = g.key
    ANTI JOIN moved_{{ entity }} AS m ON p.app_key = m.app_key AND p.ghl_key = m.ghl_key
    GROUP BY p.app_key, p.ghl_key
),

{% for side in other %}
asked_{{ side }} AS (
    SELECT
        '{{ side }}' AS side,
        {{ side }}_key AS key,
        CASE WHEN bool_or({{ other[side] }}_free) THEN 'ambiguous' ELSE 'duplicate' END AS kind,
        min(rule) AS rule,
        list_sort(list({{ other[side] }}_key))[1:20] AS candidates
    FROM pair
    WHERE {{ side }}_free
    GROUP BY {{ side }}_key
){{ '' if loop.last else ',' }}

{% endfor %}
FROM asked_app
UNION ALL
FROM asked_ghl;

INSERT INTO unsure_{{ entity }} BY NAME
FROM parted_again;
{% include 'link/models/_free_without_unsure.sql' %}

DROP TABLE parted_again;
