-- stranger_{e}: linked records of which nobody knows in this run whether they are what they were: what hangs on them waits
--
-- Of one all that names it changed at once on one side; another's side could not be read to its end.
--
-- A person is known by two values at least: who was known by an email alone may have a new one. What is no person may get
-- another name, but not together with another value. Whatever was missing in an earlier run may have lost its key. Where both
-- sides now say the same of it, somebody changed it on purpose.
{% from 'compare/models/_stranger.sql' import question, shown %}
{% from 'link/models/_covered.sql' import covered with context %}
{#- By how many values a record is known, of its cells. -#}
{% macro filled(cells) -%}
len(list_filter([{% for place in known_places %}{{ cells }}[{{ place }}]{{ '' if loop.last else ', ' }}{% endfor %}], lambda v: v IS NOT NULL))
{%- endmacro %}
{#- Whether enough is other for another record than it was, beside its names. -#}
{% macro enough(side, row) -%}
(
    m.{{ side }}_absent > 0
    -- A question that is open stands: once it is asked, the ledger counts no more in how many runs it was missing.
    OR {{ question('m.link_id') }} IN (SELECT q.hold_id FROM in_question AS q)
    {% if entity.spec.person %}
    OR {{ filled('b.' ~ side) }} > 1
    {% endif %}  -- noqa: LT02
    {% for place in other_places %}
    OR {{ row }}.cells[{{ place }}] IS DISTINCT FROM b.{{ side }}[{{ place }}]
    {% endfor %}
)
{%- endmacro %}
{#- Whether all that a side's record was known by is other, and not just blank. -#}
{% macro replaced(side, row) -%}
(
    {{ enough(side, row) }}  -- noqa: LT02
    {% for place in known_places %}
    AND (b.{{ side }}[{{ place }}] IS NULL OR {{ row }}.cells[{{ place }}] IS DISTINCT FROM b.{{ side }}[{{ place }}])
    {% endfor %}
    AND {{ filled('b.' ~ side) }} > 0
    AND {{ filled(row ~ '.cells') }} > 0
)
{%- endmacro %}
CREATE OR REPLACE TABLE stranger_{{ entity }} (
    link_id VARCHAR,
    side VARCHAR,  -- where everything changed; NULL where that was seen by an earlier run
    app_key VARCHAR,
    ghl_key VARCHAR,
    hold_id VARCHAR,
    values_digest VARCHAR,
    -- ask, same where a person said so, unseen where its side was not read, unread where a rule may leave out what was not
    action VARCHAR
);
{% if known_places %}
INSERT INTO stranger_{{ entity }} BY NAME
WITH ends AS (
    SELECT
        m.link_id,
        m.app_key,
        m.ghl_key,
        {{ question('m.link_id') }} AS hold_id,
        {{ shown() }} AS values_digest,
        CASE
            WHEN {{ replaced('app', 'a') }} THEN 'app'
            WHEN {{ replaced('ghl', 'g') }} THEN 'ghl'
        END AS side
    FROM moved_{{ entity }} AS m
    JOIN basecell_{{ entity }} AS b ON m.link_id = b.link_id
    JOIN cell_{{ entity }}_app AS a ON m.app_key = a.key
    JOIN cell_{{ entity }}_ghl AS g ON m.ghl_key = g.key
    WHERE
        m.app_state = 'present'
        AND m.ghl_state = 'present'
        AND NOT a.excluded
        AND NOT g.excluded
        AND (
            {% for place in known_places %}
            a.cells[{{ place }}] IS DISTINCT FROM g.cells[{{ place }}]{{ '' if loop.last else ' OR' }}
            {% endfor %}
        )
)

SELECT
    e.*,
    CASE WHEN d.choice = 'same' THEN 'same' ELSE 'ask' END AS action
FROM ends AS e
LEFT JOIN decision AS d USING (hold_id, values_digest)
WHERE e.side IS NOT NULL;
{% endif %}
{% if asked %}
-- What was asked stands in a night that does not see both ends: nothing else tells that what hangs on them waits.
INSERT INTO stranger_{{ entity }} BY NAME
SELECT
    b.link_id,
    b.app_key,
    b.ghl_key,
    q.hold_id,
    q.values_digest,
    'ask' AS action
FROM base_{{ entity }} AS b
JOIN in_question AS q ON b.link_id = q.subject AND q.hold_id = {{ question('b.link_id') }}
WHERE
    b.link_id NOT IN (SELECT s.link_id FROM stranger_{{ entity }} AS s)
    AND (
        {% for side in ['app', 'ghl'] %}
        (NOT {{ covered(side) }} AND b.{{ side }}_key NOT IN (SELECT r.key FROM raw_{{ entity }}_{{ side }} AS r))
        {{ '' if loop.last else 'OR' }}
        {% endfor %}
    );
{% endif %}
{% if broken_off %}
-- Whom a reading that broke off did not come to may be gone, and what hangs on them with them.
INSERT INTO stranger_{{ entity }} BY NAME
SELECT
    b.link_id,
    b.app_key,
    b.ghl_key,
    '{{ 'unread' if filtered else 'unseen' }}' AS action
FROM base_{{ entity }} AS b
WHERE
    b.link_id NOT IN (SELECT s.link_id FROM stranger_{{ entity }} AS s)
    AND (
        {% for side in broken_off %}
        b.{{ side }}_key NOT IN (SELECT r.key FROM raw_{{ entity }}_{{ side }} AS r)
        {{ '' if loop.last else 'OR' }}
        {% endfor %}
    );
{% endif %}
