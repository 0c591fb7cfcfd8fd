-- query (number): how many values are the same on both sides, of links whose cells `links` puts side by side
SELECT
    coalesce(sum(
        {% for place in range(1, width + 1) %}
        (app[{{ place }}] IS NOT DISTINCT FROM ghl[{{ place }}])::INTEGER{{ '' if loop.last else ' +' }}
        {% endfor %}
    ), 0)::BIGINT
FROM ({{ links }})
