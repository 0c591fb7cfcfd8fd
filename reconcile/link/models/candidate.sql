-- likeness.{s}: a contact without a link or match, with the fields that likeness is measured by
CREATE OR REPLACE TABLE likeness.{{ side }} AS
SELECT
    {% for place in places %}
    cells[{{ place }}] AS c{{ place }},
    {% endfor %}
    key AS unique_id
FROM free_{{ entity }}_{{ side }}
WHERE NOT deleted AND NOT excluded;
