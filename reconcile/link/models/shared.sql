-- shared: an identity that more than one contact has, one of them without a link
--
-- Most new rows share what they are known by with no other row, so that no rule has anything to say of them: known_{e}_{s}
-- keeps the rows that do share something. In a first run most rows do meet another, and all of them are gone through.
{% from 'link/models/_identities.sql' import identities with context %}
{% macro everyone(side) %}
{% for rule in rules %}
SELECT
    {{ loop.index }} AS rule,
    key,
    identity,
    key IN (SELECT key FROM unlinked_{{ entity }}_{{ side }}) AS fresh
FROM ({{ identities(rule, side) }})
{{ 'UNION ALL' if not loop.last }}
{% endfor %}
{% endmacro %}
CREATE OR REPLACE TABLE shared AS
SELECT
    rule,
    identity
FROM (
    {{ everyone('app') }}
    UNION ALL
    {{ everyone('ghl') }}
)
GROUP BY rule, identity
HAVING count(*) > 1 AND bool_or(fresh);

{% for side in ['app', 'ghl'] %}
CREATE OR REPLACE TABLE known_{{ entity }}_{{ side }} AS
SELECT k.*
FROM known_{{ entity }}_{{ side }} AS k
SEMI JOIN (
    SELECT i.key
    FROM ({{ everyone(side) }}) AS i
    SEMI JOIN shared AS s ON i.rule = s.rule AND i.identity = s.identity
) AS sharing ON k.key = sharing.key;
{% endfor %}

DROP TABLE shared;
