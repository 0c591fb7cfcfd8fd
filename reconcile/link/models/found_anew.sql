-- into found_{e}: a record that was made anew where a linked one lost its end, on the contact that this one hangs on
--
-- `rule` is a match rule; without one, they are equal in all their fields. Of several equal ones, the first is linked with
-- the first; of several that merely share an identity, none.
{% from 'link/models/_identities.sql' import identity, whole with context %}
INSERT INTO found_{{ entity }} BY NAME
WITH
{% for name, rows in [('lost', 'left_alone'), ('made', 'free_' ~ entity ~ '_' ~ side)] %}
{{ name }} AS (
    SELECT
        key,
        parent_link,
        {{ identity(rule) if rule else 'to_json(cells)::VARCHAR' }} AS likeness,
        row_number() OVER (PARTITION BY parent_link, likeness ORDER BY key) AS place,
        count(*) OVER (PARTITION BY parent_link, likeness) AS alike
    FROM {{ rows }}
    WHERE
        parent_link IS NOT NULL
        {% if name == 'lost' %}
        AND gone = '{{ side }}'
        AND key NOT IN (SELECT {{ other }}_key FROM found_{{ entity }})
        {% endif %}
        {% if rule %}
        AND {{ whole(rule) }}
        {% endif %}
){{ ',' if not loop.last }}
{% endfor %}

SELECT
    {{ link_id(entity, 'app', 'l.key' if other == 'app' else 'm.key') }} AS link_id,
    l.key AS {{ other }}_key,
    m.key AS {{ side }}_key,
    parent_link AS parent,
    {{ (rule.name if rule else 'content') | literal }} AS how
FROM lost AS l
JOIN made AS m USING (parent_link, likeness, place)
{% if rule %}
WHERE l.alike = 1 AND m.alike = 1
{% endif %};
