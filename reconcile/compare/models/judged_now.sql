-- into judged_{e}: every difference with the verdict of its situation, then with what a person answered
--
-- `verdict` lists each situation of each field once, with what the policy says of it: it is joined to, not computed row by row.
{% from 'compare/models/_answers.sql' import chosen_side, decided, shown_values %}
{% macro dnd(side) -%}
{#- Whether a side says "do not disturb" in a difference; a value that cannot be read might say so. -#}
{% if consents %}
(
    d.field IN ({{ consents | map('literal') | join(', ') }})
    AND coalesce(d.{{ side }} IN ('denied', 'permanent') OR (d.{{ side }} IS NOT NULL AND d.{{ side }}_fault IS NOT NULL), false)
)
{%- else -%}
false
{%- endif %}
{%- endmacro %}
{% macro lasting() -%}
{#- Whether a side says so for good. -#}
{% if consents %}
(
    d.field IN ({{ consents | map('literal') | join(', ') }})
    AND (coalesce(d.app = 'permanent', false) OR coalesce(d.ghl = 'permanent', false))
)
{%- else -%}
false
{%- endif %}
{%- endmacro %}
INSERT INTO judged_{{ entity }} BY NAME
WITH looked_up AS (
    SELECT
        d.*,
        -- A difference that does not move and whose reason is known stays, whatever the policy says.
        CASE
            WHEN d.kind <> 'standing' THEN NULL
            WHEN r.because IS NOT NULL THEN r.because
            WHEN v.fallback = coalesce(d.app, d.ghl) AND (d.app IS NULL OR d.ghl IS NULL)
                THEN 'blank on one side, the fallback on the other'
        END AS on_record,
        v.action AS verdict,
        v.winner,
        v.because,
        v.ground,
        v.app_required,
        v.ghl_required
    FROM delta_{{ entity }} AS d
    JOIN verdict AS v
        ON
            d.field = v.field
            AND d.kind = v.kind
            AND v.newer IS NOT DISTINCT FROM d.newer
            AND v.app_blank = (d.app IS NULL)
            AND v.ghl_blank = (d.ghl IS NULL)
            AND v.app_dnd = {{ dnd('app') }}
            AND v.ghl_dnd = {{ dnd('ghl') }}
            AND v.lasting = {{ lasting() }}
    LEFT JOIN difference_{{ entity }} AS r
        ON
            d.link_id = r.link_id
            AND d.field = r.field
            AND r.item = coalesce(d.item, '')
            -- A reason stands as long as its field is mapped as it was.
            AND r.current
            -- Why another value was refused says nothing of one that came back.
            AND (
                r.kind <> 'rejected'
                OR (
                    r.sent IS NOT DISTINCT FROM if(r.side = 'ghl', d.app, d.ghl)
                    AND r.stored IS NOT DISTINCT FROM if(r.side = 'ghl', d.ghl, d.app)
                )
            )
),

-- An answer is found by the question's name, and counts while both values are those that were shown.
question AS (
    SELECT
        d.* EXCLUDE (on_record, verdict, because),
        CASE WHEN d.on_record IS NULL THEN d.verdict ELSE 'leave' END AS action,
        {% if together %}
        coalesce(
            d.on_record,
            d.because || CASE
                WHEN
                    d.kind = 'conflict'
                    AND d.field IN ({{ together | map('literal') | join(', ') }})
                    AND (d.app IS NOT DISTINCT FROM d.base_app OR d.ghl IS NOT DISTINCT FROM d.base_ghl)
                    THEN ': {{ together | join(' and ') }} count as one'
                ELSE ''
            END
        ) AS because,
        {% else %}
        coalesce(d.on_record, d.because) AS because,
        {% endif %}
        {{ hold_id('conflict', entity, 'd.link_id', 'd.field', "coalesce(d.item, '')") }} AS hold_id,
        {{ shown_values('d') }} AS values_digest
    FROM looked_up AS d
),

-- Only what the policy asks about can be answered: an older answer does not overrule a rule.
answered AS (
    SELECT
        q.* EXCLUDE (action, winner, because, ground),
        CASE
            WHEN q.action = 'ask' AND a.choice IN ('app', 'ghl', 'allow', 'deny') THEN 'agree'
            WHEN q.action = 'ask' AND a.choice = 'leave' THEN 'leave'
            ELSE q.action
        END AS action,
        CASE
            WHEN q.action = 'ask' AND a.choice IN ('app', 'ghl', 'allow', 'deny') THEN {{ chosen_side('a', 'q') }}
            ELSE q.winner
        END AS winner,
        CASE
            WHEN q.action = 'ask' AND a.choice = 'allow' THEN {{ decided('a') }}
            WHEN q.action = 'agree' THEN nullif(q.ground, '')
        END AS ground,
        CASE
            WHEN q.action = 'ask' AND a.choice IS NOT NULL
                THEN {{ decided('a') }}
            ELSE q.because
        END AS because
    FROM question AS q
    LEFT JOIN decision AS a USING (hold_id, values_digest)
),

valued AS (
    SELECT
        *,
        CASE winner WHEN 'app' THEN app_fault WHEN 'ghl' THEN ghl_fault END AS fault,
        CASE winner WHEN 'app' THEN app WHEN 'ghl' THEN ghl END AS value,
        CASE winner WHEN 'app' THEN ghl_required ELSE app_required END AS required
    FROM answered
)

SELECT
    * EXCLUDE (action, because, required),
    -- Whoever won, what is no well-formed value is not written, nor a blank into a field that has to have one. An element of
    -- a set that is NULL is one to be taken out, and no blank.
    CASE
        WHEN action = 'agree' AND fault IS NOT NULL THEN 'unsyncable'
        WHEN action = 'agree' AND required AND item IS NULL AND value IS NULL THEN 'unsyncable'
        ELSE action
    END AS action,
    CASE
        WHEN action = 'agree' AND fault IS NOT NULL THEN because || '; but it is ' || fault
        WHEN action = 'agree' AND required AND item IS NULL AND value IS NULL
            THEN because || '; but the field is required and the value is blank'
        ELSE because
    END AS because
FROM valued;
