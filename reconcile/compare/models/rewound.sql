-- rewound: a record that went back to an older state, as a restored backup does
--
-- Older than it was seen, and it holds something else; or it strayed, so that what it holds is not compared.
CREATE OR REPLACE TABLE rewound (
    entity VARCHAR,
    side VARCHAR,
    link_id VARCHAR
);
{% for entity, side in went_back %}
INSERT INTO rewound BY NAME
SELECT DISTINCT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    d.link_id
FROM delta_{{ entity }} AS d
SEMI JOIN (FROM wide_{{ entity }} WHERE {{ side }}_back) AS w ON d.link_id = w.link_id
WHERE d.kind <> 'converged' AND d.{{ side }} IS DISTINCT FROM d.base_{{ side }}
UNION
SELECT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    link_id
FROM wide_{{ entity }}
WHERE strayed AND {{ side }}_back;
{% endfor %}
