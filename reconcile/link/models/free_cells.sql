-- changes free_{e}_{s}: the keys of orphans become their rows, with cells
CREATE OR REPLACE TABLE free_{{ entity }}_{{ side }} AS
SELECT c.*
FROM cell_{{ entity }}_{{ side }} AS c
{% if unlinked %}
SEMI JOIN free_{{ entity }}_{{ side }} AS f ON c.key = f.key;
{% else %}
WHERE false;
{% endif %}
