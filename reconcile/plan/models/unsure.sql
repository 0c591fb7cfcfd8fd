-- into unsure_{e}_now, passed, wanted_{e}, free_{e}_{s}: each record in doubt once, with its answer, and where it goes by that
INSERT INTO unsure_{{ entity }}_now BY NAME
-- Several rules may doubt one record: it is asked about once, with all candidates.
WITH doubt AS (
    SELECT
        side,
        key,
        min(kind) AS kind,
        min(rule) AS rule,
        list_sort(list_distinct(flatten(list(candidates)))) AS candidates
    FROM unsure_{{ entity }}
    GROUP BY side, key
),

question AS (
    SELECT
        *,
        {{ hold_id('unsure', entity, 'side', 'key') }} AS hold_id,
        md5(candidates::VARCHAR)[1:20] AS values_digest
    FROM doubt
)

SELECT
    q.* EXCLUDE (values_digest),
    CASE
        WHEN starts_with(d.choice, 'link:') THEN 'another answer names the same record, so neither is carried out; '
        ELSE ''
    END
    || CASE
        WHEN starts_with(q.rule, 'likeness')
            THEN 'probably the same as a record of the other side, though no match rule says so; ' || q.rule
        WHEN contains(q.rule, 'went back') THEN q.rule || ': the same person?'
        WHEN q.kind = 'erased' THEN 'a record with the same ' || q.rule || ' was erased: it is not brought over again unasked'
        WHEN q.kind = 'ambiguous' THEN 'more than one record uses this ' || q.rule
        WHEN q.kind = 'excluded' THEN 'a record that is left out by an exclude rule has the same ' || q.rule
        ELSE 'another record has the same ' || q.rule || ' already'
    END AS because,
    CASE
        WHEN q.kind = 'ambiguous' AND q.side = 'app'
            THEN list_concat(list_transform(q.candidates, lambda c: 'link:' || c), ['create', 'ignore'])
        ELSE ['create', 'ignore']
    END AS options,
    d.choice,
    d."by",
    coalesce(a.parent, g.parent) AS contact
FROM question AS q
LEFT JOIN cell_{{ entity }}_app AS a ON q.side = 'app' AND q.key = a.key
LEFT JOIN cell_{{ entity }}_ghl AS g ON q.side = 'ghl' AND q.key = g.key
LEFT JOIN decision AS d ON q.hold_id = d.hold_id AND q.values_digest = d.values_digest;

-- Nothing is done about it for now: the report lists it with the reason.
INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    side,
    key,
    CASE WHEN choice = 'ignore' OR kind = 'excluded' THEN 'excluded' ELSE 'ambiguous' END AS class,
    CASE WHEN choice = 'ignore' THEN 'decided by ' || "by" || ': ignore; ' ELSE '' END || because AS because
FROM unsure_{{ entity }}_now
WHERE choice IS DISTINCT FROM 'create';

INSERT INTO wanted_{{ entity }} BY NAME
SELECT
    side,
    key,
    "by"
FROM unsure_{{ entity }}_now
WHERE choice = 'create';

-- Who is to be created by a person's word is free again, as those are that nobody doubted.
{% for side in ['app', 'ghl'] %}
INSERT INTO free_{{ entity }}_{{ side }} BY NAME
SELECT
    {% if entity.parent %}
    o.link_id AS parent_link,
    {% endif %}
    c.*
FROM cell_{{ entity }}_{{ side }} AS c
{% if entity.parent %}
LEFT JOIN owner AS o ON c.parent = o.{{ side }}_key
{% endif %}
WHERE c.key IN (SELECT w.key FROM wanted_{{ entity }} AS w WHERE w.side = '{{ side }}');

{% endfor %}
DELETE FROM unsure_{{ entity }}_now
WHERE choice IN ('create', 'ignore') OR kind = 'excluded';
