-- into suggested: the best of the pairs that Splink scored, of each contact
INSERT INTO suggested BY NAME
WITH pair AS (
    SELECT
        CASE source_dataset_l WHEN 'app' THEN unique_id_l ELSE unique_id_r END AS app_key,
        CASE source_dataset_l WHEN 'app' THEN unique_id_r ELSE unique_id_l END AS ghl_key,
        match_probability AS probability,
        match_weight AS weight,
        [
            {% for column, name in fields %}
            {
                'field': {{ name | literal }},
                'how': CASE gamma_{{ column }} WHEN 2 THEN 'equal' WHEN 1 THEN 'alike' WHEN 0 THEN 'different' END
            }{{ '' if loop.last else ',' }}
            {% endfor %}
        ] AS evidence
    FROM likeness.{{ scored | quoted }}
)

SELECT
    app_key,
    ghl_key,
    round(probability, 4) AS probability,
    round(weight, 1) AS weight,
    list_filter(evidence, lambda e: e.how IS NOT NULL) AS evidence
FROM pair
QUALIFY
    row_number() OVER (PARTITION BY app_key ORDER BY pair.weight DESC, ghl_key) = 1
    OR row_number() OVER (PARTITION BY ghl_key ORDER BY pair.weight DESC, app_key) = 1;
