-- query (pairs): how many pairs a join on these columns would give, without making it
SELECT coalesce(sum(a.many * g.many), 0) AS pairs
FROM
{% for side in ['app', 'ghl'] %}
    (
        SELECT
            {{ columns | join(', ') }},
            count(*) AS many
        FROM likeness.{{ side }}
        WHERE {% for column in columns %}{{ column }} IS NOT NULL{{ '' if loop.last else ' AND ' }}{% endfor %}

        GROUP BY {{ columns | join(', ') }}
    ) AS {{ side[0] }}
    {{ 'JOIN' if not loop.last }}
{% endfor %}
    USING ({{ columns | join(', ') }});
