-- basecell_{e}: the baseline of a link that moves now: archived for what had moved then; for the rest it was what the snapshot
-- showed
{% from 'undo/models/_cells.sql' import cells with context %}
CREATE OR REPLACE TABLE basecell_{{ entity }} AS
SELECT
    m.link_id,
    {{ 'k.how' if archived else 'NULL::VARCHAR' }} AS how,
    {{ cells('app', 'a') }} AS app,
    {{ cells('ghl', 'g') }} AS ghl
FROM moved_{{ entity }} AS m
{% if archived %}
LEFT JOIN {{ archived }} AS k ON m.link_id = k.link_id
{% endif %}
LEFT JOIN cell_{{ entity }}_app AS a ON m.app_key = a.key
LEFT JOIN cell_{{ entity }}_ghl AS g ON m.ghl_key = g.key;
