-- into absence_{e}: every link that lost an end, what that may mean, and what is done about it
--
-- Never on the word of one absence alone: what hangs on a contact that is still there, a merge, and answers count as well.
{% from 'compare/models/_hanging.sql' import given, touched, waits, without_other_end with context %}
{% from 'compare/models/_strayed.sql' import with_survivor with context %}
INSERT INTO absence_{{ entity }} BY NAME
WITH lost AS (  -- noqa: ST03
    SELECT
        link_id,
        app_key,
        ghl_key,
        parent,
        app_state,
        ghl_state,
        CASE WHEN app_state IN ('absent', 'deleted') THEN 'app' ELSE 'ghl' END AS gone,
        app_state IN ('absent', 'deleted') AND ghl_state IN ('absent', 'deleted') AS both_gone,
        app_state = 'unknown' OR ghl_state = 'unknown' AS unknown,
        'deleted' IN (app_state, ghl_state) AS tombstone,
        CASE WHEN app_state IN ('absent', 'deleted') THEN app_absent ELSE ghl_absent END + 1 AS runs
    FROM moved_{{ entity }}
    WHERE NOT (app_state = 'present' AND ghl_state = 'present')
),

{% if not entity.parent %}
-- Of the missing end: a record without a link, or one that a merge left it with, that has its identity now.
successor AS (  -- noqa: ST03
    SELECT
        side,
        lost,
        key
    FROM heir_{{ entity }}
    UNION ALL
    SELECT
        v.side,
        CASE v.side WHEN 'app' THEN b.ghl_key ELSE b.app_key END AS lost,
        v.key
    FROM survivor_{{ entity }} AS v
    JOIN base_{{ entity }} AS b USING (link_id)
    WHERE NOT v.linked
),

{% endif %}
remaining AS (
    SELECT
        l.*,
        CASE WHEN gone = 'app' THEN 'ghl' ELSE 'app' END AS side,
        CASE WHEN gone = 'app' THEN l.ghl_key ELSE l.app_key END AS key,
        CASE WHEN gone = 'app' THEN g.version ELSE a.version END AS version,
        CASE WHEN gone = 'app' THEN {{ touched('ghl', 'g') }} ELSE {{ touched('app', 'a') }} END AS touched,  -- noqa: PRS, LT02
        CASE WHEN gone = 'app' THEN {{ given('ghl', 'g') }} ELSE {{ given('app', 'a') }} END AS given,  -- noqa: PRS, LT02
        CASE WHEN gone = 'app' THEN g.cells ELSE a.cells END AS cell_list,
        CASE WHEN gone = 'app' THEN {{ without_other_end('ghl', 'app') }} ELSE {{ without_other_end('app', 'ghl') }} END AS children,
        CASE WHEN gone = 'app' THEN {{ waits('ghl', 'app') }} ELSE {{ waits('app', 'ghl') }} END AS waits,
        CASE WHEN gone = 'app' THEN '{{ policy.ghl }}' ELSE '{{ policy.app }}' END AS policy,
        coalesce(CASE WHEN gone = 'app' THEN g.excluded ELSE a.excluded END, false)
        {% if entity.parent %}
        OR coalesce(l.parent IN (SELECT c.link_id FROM left_out AS c), false)
        {% endif %}
        AS excluded,
        {% if entity.parent %}
        NULL::VARCHAR AS heir,
        NULL::VARCHAR AS merged,
        false AS by_children,
        -- Somebody hung it on another contact, and no merge did.
        coalesce(CASE WHEN gone = 'app' THEN g.parent <> o.ghl_key ELSE a.parent <> o.app_key END, false)
        AND NOT {{ with_survivor() }} AS moved,
        EXISTS (FROM absence_{{ entity.parent }} AS c WHERE c.link_id = l.parent AND c.gone = l.gone) AS follows,
        {% else %}
        (
            SELECT min(h.key)
            FROM successor AS h
            WHERE h.side = gone AND h.lost = CASE WHEN gone = 'app' THEN l.ghl_key ELSE l.app_key END
        ) AS heir,
        (
            SELECT min(v.key)
            FROM survivor_{{ entity }} AS v
            WHERE v.link_id = l.link_id AND v.side = gone AND v.linked
        ) AS merged,
        -- Nothing but its tasks and notes shows the merge.
        coalesce((
            SELECT bool_and(v.rule IS NULL)
            FROM survivor_{{ entity }} AS v
            WHERE v.link_id = l.link_id AND v.side = gone
        ), false) AS by_children,
        false AS moved,
        false AS follows,
        {% endif %}
        CASE WHEN gone = 'app' THEN g.parent ELSE a.parent END AS hangs_on,
        EXISTS (
            FROM unproven_{{ entity }} AS u
            WHERE
                (u.side = 'app' AND app_state = 'absent' AND u.key = l.app_key)
                OR (u.side = 'ghl' AND ghl_state = 'absent' AND u.key = l.ghl_key)
        ) AS unproven,
        CASE WHEN b.how LIKE 'undone by %' THEN b.how END AS undone
    FROM lost AS l
    LEFT JOIN cell_{{ entity }}_app AS a ON l.app_key = a.key
    LEFT JOIN cell_{{ entity }}_ghl AS g ON l.ghl_key = g.key
    LEFT JOIN basecell_{{ entity }} AS b USING (link_id)
    {% if entity.parent %}
    LEFT JOIN base_{{ entity.parent }} AS o ON l.parent = o.link_id
    {% endif %}
),

described AS (
    SELECT
        -- What was moved is changed, and does not go with its former contact.
        * EXCLUDE (cell_list) REPLACE (touched OR given IS NOT NULL OR moved AS touched, follows AND NOT moved AS follows),
        coalesce(heir, merged) AS survivor,
        {{ hold_id('delete', entity, 'link_id') }}
        IN (SELECT q.hold_id FROM in_question AS q WHERE q.doubted) AS asked,
        json_object(
            {% for field in fields %}
            {{ field.name | literal }}, cell_list[{{ loop.index }}]{{ '' if loop.last else ',' }}
            {% endfor %}
        ) AS cells,
        CASE gone WHEN 'app' THEN 'the app' ELSE 'GHL' END AS where_gone,
        CASE gone WHEN 'app' THEN 'GHL' ELSE 'the app' END AS where_kept
    FROM remaining
),

judged AS (
    SELECT
        *,
        {{ hold_id('delete', entity, 'link_id') }} AS hold_id,
        -- An answer counts for the record as it was shown then: after another edit of it, or below it, it is asked about anew.
        gone || '-' || md5(concat(cells::VARCHAR, children, given))[1:20] AS values_digest,
        -- The first that fits: what is not known comes before all that would conclude something, questions before the policy.
        CASE
            WHEN unproven THEN 'not_checked'
            WHEN both_gone THEN 'forget'
            WHEN unknown THEN 'not_checked'
            -- Its contact's deletion decides, and takes it along.
            WHEN follows THEN 'follow'
            -- It was missing on purpose, or since a backup was restored: nobody deleted it there.
            WHEN undone IS NOT NULL AND policy <> 'ignore' THEN 'hold'
            WHEN excluded THEN 'ignore'
            -- A deletion mark is the side's own word; a mere absence has to be seen several times.
            WHEN runs < {{ absent_runs }} AND NOT tombstone THEN 'quarantine'
            WHEN survivor IS NOT NULL THEN 'hold'
            -- What shows a merge or a change may go: a question about it ends with an answer, and with nothing else.
            WHEN asked AND policy <> 'ignore' THEN 'hold'
            WHEN touched AND policy <> 'ignore' THEN 'hold'
            ELSE policy
        END AS action,
        CASE
            WHEN touched THEN ' It, or a task or note of it, was changed in ' || where_kept || ' since'
            ELSE ''
        END AS changed
    FROM described
)

SELECT
    j.* EXCLUDE (heir, by_children, children, changed, waits, asked, moved, given, action),
    CASE
        WHEN j.action = 'hold' AND d.choice = 'delete' THEN 'mirror'
        WHEN j.action = 'hold' AND d.choice = 'keep' THEN 'ignore'
        ELSE j.action
    END AS action,
    CASE
        WHEN d.choice IS NOT NULL AND j.action = 'hold' THEN 'decided by ' || d.by || ': ' || d.choice
        WHEN unproven
            THEN 'not found in ' || where_gone || ', which did not say that it is this record: no proof that it is gone'
        WHEN both_gone THEN 'gone from both sides'
        WHEN unknown THEN 'not read on both sides in this run'
        WHEN follows THEN 'its contact is gone from ' || where_gone || ' too; it follows its contact'
        WHEN undone IS NOT NULL
            THEN
                'missing from ' || where_gone || ', ' || undone
                || ': shall it be there again, or go from ' || where_kept || ' too?'
        WHEN excluded THEN 'deleted in ' || where_gone || '; left out by an exclude rule'
        WHEN j.action = 'quarantine'
            THEN 'missing from ' || where_gone || ' in ' || runs || ' of {{ absent_runs }} complete runs'
        WHEN survivor IS NOT NULL AND by_children
            THEN
                'gone from ' || where_gone || ', where its tasks or notes hang on record ' || survivor || ' now: merged?'
                || changed
        WHEN merged IS NOT NULL
            THEN
                'gone from ' || where_gone || ', where record ' || merged || ', linked to another record of ' || where_kept
                || ', has its identity too: merged?' || changed
        WHEN survivor IS NOT NULL
            THEN
                'gone from ' || where_gone || ', where record ' || survivor || ' now has the same identity: merged?'
                || changed
        WHEN touched AND j.action = 'hold'
            THEN
                'deleted in ' || where_gone || ', changed in ' || where_kept
                || CASE
                    WHEN moved THEN ': it hangs on another contact there now'
                    WHEN given IS NOT NULL THEN ': somebody new belongs to it there'
                    ELSE ''
                END
        WHEN asked AND j.action = 'hold'
            THEN
                'deleted in ' || where_gone
                || '; {{ asked_before }} as merged or changed, of which nothing shows any more'
        ELSE 'deleted in ' || where_gone
    END AS because
FROM judged AS j
LEFT JOIN decision AS d
    ON
        j.hold_id = d.hold_id
        AND j.values_digest = d.values_digest
        -- A change of a task or note goes across first: an answer that would delete it counts after that.
        AND NOT (j.waits AND d.choice = 'delete');
{% if not entity.parent %}

-- A person said that a merged record goes from the other side too: its tasks and notes live on, with the survivor.
INSERT INTO left_behind BY NAME
SELECT
    link_id,
    gone AS side,
    merged AS survivor
FROM absence_{{ entity }}
WHERE
    merged IS NOT NULL
    AND action IN ('mirror', 'archive')
    AND link_id NOT IN (SELECT b.link_id FROM left_behind AS b);
{% endif %}
