-- query (agreeing): how many pairs agree in two columns at once, in any of these twos
SELECT count(*) AS agreeing
FROM (
    {% for columns in twos %}
    SELECT
        a.unique_id AS app_key,
        g.unique_id AS ghl_key
    FROM likeness.app AS a
    JOIN likeness.ghl AS g USING ({{ columns | join(', ') }})
    {{ 'UNION' if not loop.last }}
    {% endfor %}
);
