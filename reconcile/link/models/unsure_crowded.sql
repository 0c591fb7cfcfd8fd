-- into unsure_{e}: a record that could be more than one of the other side
INSERT INTO unsure_{{ entity }} BY NAME
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}
SELECT
    '{{ side }}' AS side,
    c.key,
    'ambiguous' AS kind,
    {{ rule.name | literal }} AS rule,
    list_sort(list(DISTINCT i.key))[1:20] AS candidates
FROM crowded AS c
JOIN identity_{{ other }} AS i ON c.identity = i.identity
WHERE c.side = '{{ side }}'
GROUP BY c.key
{{ 'UNION ALL' if not loop.last }}
{% endfor %};
