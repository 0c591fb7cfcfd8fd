-- into found_{e}: two tasks or notes of one contact with the same content; of several, the first with the first and so on
INSERT INTO found_{{ entity }} BY NAME
WITH
{% for side in ['app', 'ghl'] %}
{{ side }} AS (
    SELECT
        key,
        parent_link,
        to_json(cells)::VARCHAR AS content,
        row_number() OVER (PARTITION BY parent_link, content ORDER BY key) AS place
    FROM free_{{ entity }}_{{ side }}
){{ ',' if not loop.last }}
{% endfor %}

SELECT
    {{ link_id(entity, 'app', 'a.key') }} AS link_id,
    a.key AS app_key,
    g.key AS ghl_key,
    parent_link AS parent,
    'content' AS how
FROM app AS a
JOIN ghl AS g USING (parent_link, content, place);
