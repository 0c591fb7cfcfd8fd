-- rough_{e}_{s}: a row with the cells that SQL can make canonical; the others stand as they are, with a mark before them
--
-- One look at each value: a copy of the raw rows first, or a second test of the same value, costs as much again.
CREATE OR REPLACE TABLE rough_{{ entity }}_{{ side }} AS
SELECT
    r.key,
    {% if whole %}
    r.parent,
    r.version,
    strftime(try_cast(r.modified_at AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%gZ') AS modified_at,
    r.deleted,
    r.digest,
    {% endif %}
    false AS excluded,
    [
        {% for each in rough %}
        {% if each is none %}
        NULL{{ ',' if not loop.last }}
        {% else %}
        CASE WHEN {{ each.test }} THEN {{ each.cell }} ELSE {{ undone }} || {{ each.source }} END{{ ',' if not loop.last }}
        {% endif %}
        {% endfor %}
    ]::VARCHAR[] AS cells
FROM raw_{{ entity }}_{{ side }} AS r
{% if rows %}
SEMI JOIN {{ rows }} AS chosen ON r.digest = chosen.row
{% endif %};
