-- into loser: what a contact that lost an end is known by under a match rule of one field
--
-- To the side that still has it, and in what the other side last showed of it.
{% from 'link/models/_identities.sql' import identity, identities, whole with context %}
{% from 'link/models/_strong.sql' import strong with context %}
INSERT INTO loser BY NAME
SELECT DISTINCT
    l.link_id,
    l.lost,
    {{ place }} AS rule,
    i.identity,
    l.kept IN ({{ strong(other, 'cell') }}) AS strong
FROM lost_{{ side }} AS l
JOIN ({{ identities(rule, other, ['SELECT kept AS key FROM lost_' ~ side], 'cell') }}) AS i ON l.kept = i.key
UNION
SELECT
    l.link_id,
    l.lost,
    {{ place }} AS rule,
    {{ identity(rule, 'b.' ~ side) }} AS identity,
    (
        false
        {% for each in earlier %}
        OR {{ whole(each, 'b.' ~ side) }}
        {% endfor %}
    ) AS strong
FROM lost_{{ side }} AS l
JOIN basecell_{{ entity }} AS b ON l.link_id = b.link_id
WHERE {{ whole(rule, 'b.' ~ side) }};
