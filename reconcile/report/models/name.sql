-- name_{e}_{s}: what the report calls a looked-at record, and under which contact it is
CREATE OR REPLACE TABLE name_{{ entity }}_{{ side }} AS
SELECT DISTINCT ON (key)
    key,
    left(
        regexp_replace(
            coalesce(
                {% if name_parts %}
                nullif(trim(concat_ws(' ', {{ name_parts | join(', ') }})), ''),
                {% endif %}
                {% for cell in other_cells %}
                {{ cell }},
                {% endfor %}
                key
            ),
            '\s+', ' ', 'g'
        ),
        {{ longest }}
    ) AS label,
    parent AS under
FROM cell_{{ entity }}_{{ side }};
