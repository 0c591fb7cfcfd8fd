-- sought_{n}: a blurred value of an unlinked row's nth field, to find the rows that may equal it
CREATE OR REPLACE TABLE sought_{{ place }} AS
{% for side in ['app', 'ghl'] %}
SELECT b.k{{ place }}
FROM blur_{{ entity }}_{{ side }} AS b
SEMI JOIN unlinked_{{ entity }}_{{ side }} AS u ON b.row = u.row
WHERE b.k{{ place }} IS NOT NULL
{% for table in further[side] %}
UNION
SELECT {{ blurred }} AS k{{ place }}
FROM {{ table }}
SEMI JOIN unlinked_{{ entity }}_{{ side }} USING (key)
{% endfor %}
{{ 'UNION' if not loop.last }}
{% endfor %};
