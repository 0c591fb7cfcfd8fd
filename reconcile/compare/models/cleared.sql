-- query (cleared, records, one, other): which values linked records seem to have lost, with how many records lost just these
--
-- A field that bulk reads no longer carry looks as if it had been cleared in every record that had it. `native_columns` are
-- (place of a field, raw columns of its native values).
{% from 'compare/models/_filled.sql' import has_value %}
WITH loss AS (
    SELECT
        m.{{ side }}_key AS key,
        list_filter(
            [
                {% for place, columns in native_columns %}
                CASE
                    WHEN
                        b.{{ side }}[{{ place }}] IS NOT NULL
                        AND c.cells[{{ place }}] IS DISTINCT FROM b.{{ side }}[{{ place }}]
                        AND NOT (
                            {% for column in columns %}
                            {{ has_value(column) }}{{ '' if loop.last else ' AND' }}
                            {% endfor %}
                        )
                        THEN {{ place }}
                END{{ '' if loop.last else ',' }}
                {% endfor %}
            ],
            lambda x: x IS NOT NULL
        ) AS cleared
    FROM moved_{{ entity }} AS m
    JOIN basecell_{{ entity }} AS b USING (link_id)
    JOIN cell_{{ entity }}_{{ side }} AS c ON m.{{ side }}_key = c.key
    JOIN raw_{{ entity }}_{{ side }} AS r ON m.{{ side }}_key = r.key
    WHERE m.{{ side }}_state = 'present'
)

SELECT
    cleared,
    count(*) AS records,
    min(key) AS one,
    max(key) AS other
FROM loss
WHERE len(cleared) > 0
GROUP BY cleared
ORDER BY records DESC, one
LIMIT {{ most }}
