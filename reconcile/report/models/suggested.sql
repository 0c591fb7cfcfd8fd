-- query (app_key, ghl_key, app_label, ghl_label, probability, weight, evidence): pairs that are probably one, though no rule
-- says so, the surest first
SELECT
    s.app_key,
    s.ghl_key,
    coalesce(a.label, s.app_key) AS app_label,
    coalesce(g.label, s.ghl_key) AS ghl_label,
    s.probability,
    s.weight,
    s.evidence
FROM suggested AS s
LEFT JOIN name_{{ entity }}_app AS a ON s.app_key = a.key
LEFT JOIN name_{{ entity }}_ghl AS g ON s.ghl_key = g.key
ORDER BY s.weight DESC, s.app_key, s.ghl_key
LIMIT {{ most }}
