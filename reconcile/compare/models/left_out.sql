-- left_out: a linked contact that a rule leaves out, by either of its records; what hangs on it is left out with it
CREATE OR REPLACE TABLE left_out (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR
);
{% if filtered %}
INSERT INTO left_out BY NAME
SELECT
    link_id,
    app_key,
    ghl_key
FROM base_{{ entity }}
WHERE
    app_key IN (SELECT a.key FROM known_{{ entity }}_app AS a WHERE a.excluded)
    OR ghl_key IN (SELECT g.key FROM known_{{ entity }}_ghl AS g WHERE g.excluded);
{% endif %}
