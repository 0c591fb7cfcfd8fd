-- focus_{s}: a row that has to be looked into: its link moved, or it has none, or such a one may be the same
CREATE OR REPLACE TABLE focus_{{ side }} AS
SELECT {{ side }}_row AS row
FROM moved_{{ entity }}
WHERE {{ side }}_row IS NOT NULL
UNION ALL
SELECT row
FROM unlinked_{{ entity }}_{{ side }}
{% if candidates %}
UNION
SELECT r.digest AS row
FROM raw_{{ entity }}_{{ side }} AS r
SEMI JOIN (SELECT unnest(candidates) AS key FROM unsure_{{ entity }}) AS c ON r.key = c.key
{% endif %};
