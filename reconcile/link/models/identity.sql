-- identity_{s}: an identity of a record under the match rule at hand
--
-- What is held takes part, so that nothing is linked that could as well be the same as it.
{% from 'link/models/_identities.sql' import identities, identities_in_parent, free, held with context %}
CREATE OR REPLACE TABLE identity_{{ side }} AS
SELECT
    i.key,
    i.identity,
    -- It has an identity under an earlier rule. Two strong records that meet only under a later one contradict each other.
    {{ 'i.key IN (SELECT key FROM strong_' ~ side ~ ')' if later else 'false' }} AS strong,
    i.key IN ({{ free(side) }}) AS free  -- neither linked nor held yet
FROM (
    {% if entity.parent %}
    {{ identities_in_parent(rule, side) }}
    {% else %}
    {{ identities(rule, side, [free(side), held(side)]) }}
    {% endif %}
) AS i;
