-- into released_{e}: the links of tasks and notes whose lost end was made anew; each is linked with the new one instead
INSERT INTO released_{{ entity }} BY NAME
SELECT
    m.link_id,
    m.app_key,
    m.ghl_key,
    m.parent,
    a.gone,
    'made anew in ' || CASE a.gone WHEN 'app' THEN 'the app' ELSE 'GHL' END || ', and linked with that one' AS because
FROM left_alone AS a
JOIN moved_{{ entity }} AS m ON a.key = CASE a.gone WHEN 'app' THEN m.ghl_key ELSE m.app_key END
JOIN found_{{ entity }} AS f ON a.key = CASE a.gone WHEN 'app' THEN f.ghl_key ELSE f.app_key END;
{% include 'link/models/_without_released.sql' %}
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}

INSERT INTO unlinked_{{ entity }}_{{ side }} BY NAME
SELECT
    m.{{ side }}_key AS key,
    m.{{ side }}_row AS row
FROM moved_{{ entity }} AS m
JOIN released_{{ entity }} AS r ON m.link_id = r.link_id AND r.gone = '{{ other }}';
{% endfor %}
{% for table in ['moved', 'basecell'] %}

DELETE FROM {{ table }}_{{ entity }}
WHERE link_id IN (SELECT link_id FROM released_{{ entity }});
{% endfor %}
