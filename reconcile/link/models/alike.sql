-- alike_{s}: a row, by its digest, that has no link, or that an unlinked row of either side may be the same as
CREATE OR REPLACE TABLE alike_{{ side }} AS
SELECT row
FROM unlinked_{{ entity }}_{{ side }}
{% if every_row %}
UNION
SELECT digest AS row
FROM raw_{{ entity }}_{{ side }}
{% endif %}
{% for each in sought %}
UNION
SELECT b.row
FROM blur_{{ entity }}_{{ side }} AS b
{% if each.anything %}
WHERE b.k{{ each.place }} IS NOT NULL
{% else %}
SEMI JOIN sought_{{ each.place }} AS s ON b.k{{ each.place }} = s.k{{ each.place }}
{% endif %}
{% for table in each.further[side] %}
UNION
SELECT r.digest AS row
FROM raw_{{ entity }}_{{ side }} AS r
SEMI JOIN {{ table }} AS f ON r.key = f.key
{% endfor %}
{% endfor %};
