-- into unsure_{e}: a free record that a linked one of the other side may be: that one hangs on the same contact now
--
-- `rule` is a match rule; without one, they are equal in all their fields.
{% from 'link/models/_identities.sql' import identity, whole with context %}
{% set likeness = identity(rule) if rule else 'to_json(cells)::VARCHAR' %}
INSERT INTO unsure_{{ entity }} BY NAME
WITH
{% for name, rows in [('astray_one', 'astray'), ('free_one', 'free_' ~ entity ~ '_' ~ side)] %}
{{ name }} AS (
    SELECT
        key,
        parent_link,
        {{ likeness }} AS likeness
    FROM {{ rows }}
    WHERE
        parent_link IS NOT NULL
        {% if name == 'astray_one' %}
        AND across = '{{ side }}'
        {% endif %}
        {% if rule %}
        AND {{ whole(rule) }}
        {% endif %}
){{ ',' if not loop.last }}
{% endfor %}

SELECT
    '{{ side }}' AS side,
    f.key,
    'duplicate' AS kind,
    {{ (rule.name if rule else 'content') | literal }} AS rule,
    list_sort(list(DISTINCT a.key))[1:20] AS candidates
FROM free_one AS f
JOIN astray_one AS a USING (parent_link, likeness)
GROUP BY f.key;
