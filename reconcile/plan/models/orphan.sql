-- orphan_{s}: a record without a counterpart, with what becomes of it
--
-- `class` says it: create, or why not (excluded, apart, unsyncable, required, not_checked).
{% from 'plan/models/_creation.sql' import filled, lacking, refused_without with context %}
{% set travelling = sent | map('last') | map(attribute='name') | map('literal') | join(', ') %}
{% set required = sent | map('last') | selectattr('required') | map(attribute='name') | map('literal') | join(', ') %}
CREATE OR REPLACE TABLE orphan_{{ side }} AS
{% if faulty %}
WITH fault AS (
    SELECT
        key,
        list(field) AS fields,
        string_agg(field || ' is ' || why, '; ' ORDER BY field) FILTER (field IN ({{ required or 'NULL' }})) AS faulty,
        string_agg(field || ' is ' || why, '; ' ORDER BY field) FILTER (field IN ({{ travelling or 'NULL' }})) AS left_out
    FROM fault_{{ entity }}_{{ side }}
    GROUP BY key
),

{% else %}
WITH
{% endif %}
orphan AS (
    SELECT
        f.key,
        f.version,
        {% if entity.parent %}
        o.link_id AS parent,
        o.{{ other }}_key AS parent_key,
        f.parent AS contact,
        {% else %}
        NULL::VARCHAR AS parent,
        NULL::VARCHAR AS parent_key,
        NULL::VARCHAR AS contact,
        {% endif %}
        f.cells,
        {{ filled('x.fields' if faulty else '') }} AS filled,
        {{ lacking() }} AS lacking,
        {{ 'x.faulty' if faulty else 'NULL::VARCHAR' }} AS faulty,
        {{ 'x.left_out' if faulty else 'NULL::VARCHAR' }} AS left_out,
        -- Whether the other side was seen to lack it: all of it was read, it was looked for there by what it is known by, or
        -- all that hangs on its contact was read.
        {% if whole %}
        true AS checked,
        {% elif entity.parent and partial %}
        f.key IN (SELECT key FROM looked WHERE entity = '{{ entity }}' AND side = '{{ side }}')
        OR o.{{ other }}_key IS NULL
        OR o.{{ other }}_key IN (SELECT key FROM cover_{{ entity }}_{{ other }}) AS checked,
        {% else %}
        f.key IN (SELECT key FROM looked WHERE entity = '{{ entity }}' AND side = '{{ side }}') AS checked,
        {% endif %}
        {% if entity.parent %}
        -- GHL has tasks of no contact, and a rule may leave a contact out: what hangs on such is not of this pair.
        CASE
            WHEN f.parent IS NULL THEN 'it belongs to no contact'
            WHEN
                o.link_id IS NULL
                AND (
                    f.parent IN (SELECT key FROM cell_{{ entity.parent }}_{{ side }} WHERE excluded)
                    OR f.parent IN (SELECT {{ side }}_key FROM left_out)
                )
                THEN 'its contact is left out by an exclude rule'
            WHEN f.parent IN (SELECT key FROM raw_{{ entity.parent }}_{{ side }} WHERE deleted)
                THEN 'its contact is deleted in {{ side_label }}'
        END AS apart,
        f.parent IN (SELECT {{ side }}_key FROM stranger_{{ entity.parent }} WHERE action = 'unread') AS waits,
        CASE
            WHEN o.link_id IS NULL THEN 'its contact is not linked'
            WHEN o.link_id IN (SELECT link_id FROM absence_{{ entity.parent }} WHERE gone = '{{ other }}' AND action <> 'not_checked')
                THEN 'its contact is gone from {{ other_label }}'
        END AS forsaken
        {% else %}
        NULL::VARCHAR AS apart,
        false AS waits,
        NULL::VARCHAR AS forsaken
        {% endif %}
    FROM free_{{ entity }}_{{ side }} AS f
    {% if faulty %}
    LEFT JOIN fault AS x USING (key)
    {% endif %}
    {% if entity.parent %}
    LEFT JOIN owner AS o ON f.parent = o.{{ side }}_key
    {% endif %}
),

-- What the other side is known to refuse is not sent: somebody is asked.
question AS (
    SELECT
        *,
        {{ link_id(entity, side, 'key') }} AS link_id,
        {{ refused_without(other, 'filled') }} AS refused_without,
        '{{ other_label }} takes no new {{ entity }} without ' || array_to_string(refused_without, ' and ') AS refusal,
        {{ hold_id('required', entity, "'" ~ side ~ "'", 'key') }} AS hold_id,
        md5(refused_without::VARCHAR)[1:20] AS values_digest
    FROM orphan
)

SELECT
    q.*,
    'decided by ' || d."by" || ': ignore; ' || refusal AS decided,
    -- The first that fits: what is none of this pair's business, then what is not known, then what is wrong with it.
    CASE
        {% if not allowed %}
        WHEN true THEN 'excluded'
        {% endif %}
        WHEN apart IS NOT NULL THEN 'apart'
        WHEN waits THEN 'not_checked'
        WHEN forsaken IS NOT NULL THEN 'unsyncable'
        WHEN NOT checked THEN 'not_checked'
        WHEN lacking IS NOT NULL OR faulty IS NOT NULL THEN 'unsyncable'
        WHEN refused_without <> [] AND d.choice = 'ignore' THEN 'excluded'
        WHEN refused_without <> [] THEN 'required'
        ELSE 'create'
    END AS class
FROM question AS q
LEFT JOIN decision AS d USING (hold_id, values_digest);
