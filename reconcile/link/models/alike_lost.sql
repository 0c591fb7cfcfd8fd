-- alike_lost_{s}: a row, by its digest, that may have an identity of a contact that is gone from this side
--
-- Found by numbers where there are any, and by further values.
CREATE OR REPLACE TABLE alike_lost_{{ side }} AS
{% for each in traces %}
{% if each.blur is none %}
SELECT digest AS row
FROM raw_{{ entity }}_{{ side }}
{% else %}
{% set number = 'b.k' ~ each.blur %}
{% set lost %}
(SELECT DISTINCT {{ each.blurred }} FROM loser WHERE rule = {{ each.place }})
{% endset %}
SELECT b.row
FROM blur_{{ entity }}_{{ side }} AS b
WHERE
    {{ number }} IS NOT NULL
    AND (
        {{ number }} = {{ anything }}
        OR {{ number }} IN {{ lost }}
        OR {{ anything }} IN {{ lost }}
    )
{% endif %}
{% for table in each.rule.further[side] %}
UNION
SELECT r.digest AS row
FROM raw_{{ entity }}_{{ side }} AS r
JOIN {{ table }} AS f ON r.key = f.key
WHERE f.identity IN (SELECT identity FROM loser WHERE rule = {{ each.place }})
{% endfor %}
{{ 'UNION' if not loop.last }}
{% endfor %};
