-- into unsure_{e}, changes free_{e}_{s}: a record that would be made though a tombstone knows it, or its person
--
-- A tombstone is the salted digest of a key or an identity that somebody had who was erased. A person is asked, every
-- night until there is an answer, and nothing is made meanwhile.
{% from 'link/models/_identities.sql' import identities, free with context %}
INSERT INTO unsure_{{ entity }} BY NAME
WITH trait AS (
    {% for side in ['app', 'ghl'] %}
    SELECT
        '{{ side }}' AS side,
        key,
        'key' AS rule,
        '{{ side }}' AS what,
        key AS worth
    FROM free_{{ entity }}_{{ side }}
    {% if entity.parent %}
    WHERE parent_link IS NOT NULL  -- without a linked contact it goes nowhere, and the contact is what is asked about
    {% endif %}
    {% for rule in rules %}
    UNION ALL
    SELECT
        '{{ side }}' AS side,
        key,
        {{ rule.name | literal }} AS rule,
        {{ rule.name | literal }} AS what,
        identity AS worth
    FROM ({{ identities(rule, side, [free(side)], rows='cell') }})
    {% endfor %}
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor %}
)

SELECT
    t.side,
    t.key,
    'erased' AS kind,
    min(t.rule) AS rule,
    []::VARCHAR[] AS candidates
FROM trait AS t
JOIN tombstone AS s
    ON s.entity = '{{ entity }}' AND s.digest = sha256(concat_ws(chr(31), s.salt, '{{ entity }}', t.what, t.worth))
GROUP BY t.side, t.key;
{% include 'link/models/_free_without_unsure.sql' %}
