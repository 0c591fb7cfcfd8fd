-- changes basecell_{e}: old baselines become what the present codecs give
--
-- The cells of the row, where that is the same; else the old values, those in place that read otherwise now.
{% from 'baseline/models/_renewed.sql' import renewed with context %}
CREATE OR REPLACE TABLE basecell_{{ entity }} AS
SELECT b.* REPLACE ({{ renewed('app') }} AS app, {{ renewed('ghl') }} AS ghl)
FROM basecell_{{ entity }} AS b
LEFT JOIN aged AS x ON b.link_id = x.link_id
{% for side in ['app', 'ghl'] %}
LEFT JOIN cell_{{ entity }}_{{ side }} AS {{ side }}_row ON x.{{ side }}_same AND x.{{ side }}_key = {{ side }}_row.key
{% for place in changed[side] %}
LEFT JOIN anew_{{ side }} AS {{ side }}{{ place }}
    ON {{ side }}{{ place }}.place = {{ place }} AND b.{{ side }}[{{ place }}] = {{ side }}{{ place }}.was
{% endfor %}
{% endfor %};
