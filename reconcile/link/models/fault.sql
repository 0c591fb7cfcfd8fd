-- fault_{e}_{s}: a value that no codec can read, with the reason
CREATE OR REPLACE TABLE fault_{{ entity }}_{{ side }} AS
SELECT
    NULL::VARCHAR AS key,
    NULL::VARCHAR AS field,
    NULL::VARCHAR AS why
WHERE false
{% for place, name in faulty %}
UNION ALL
SELECT
    c.key,
    {{ name | literal }} AS field,
    s.fault AS why
FROM rough_{{ entity }}_{{ side }} AS c
JOIN slow_{{ entity }}_{{ side }} AS s ON s.place = {{ place }} AND c.cells[{{ place }}] = s.raw
WHERE s.fault IS NOT NULL
{% endfor %};
