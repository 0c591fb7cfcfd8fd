-- written_{e}: a difference that was written, or was to be
--
-- It counts as written only where an operation carries exactly its value to the other side. What an operation writes and no
-- difference asks for is unexplained, as is a difference that no operation is for.
{% from 'report/models/_items.sql' import items_of %}
CREATE OR REPLACE TABLE written_{{ entity }} AS
WITH agreed AS (
    SELECT
        link_id,
        field,
        item,
        CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN app ELSE ghl END AS value
    FROM judged_{{ entity }}
    WHERE action = 'agree'
),

due AS (
    {% if consents %}
    -- A no for good is written as a plain no: it is the person's own word, and its side's alone.
    SELECT
        * REPLACE (
            CASE
                WHEN field IN ({{ consents | map('literal') | join(', ') }}) AND value = 'permanent' THEN 'denied'
                ELSE value
            END AS value
        )
    FROM agreed
    {% else %}
    FROM agreed
    {% endif %}
),

sent AS (
    SELECT
        op_id,
        kind,
        link_id,
        side,
        fate,
        unsent,
        unnest(json_keys(after)) AS field,
        before,
        after,
        json_keys(source) AS sets
    FROM fate
    WHERE
        entity = '{{ entity }}'
        AND kind IN ('update', 'complete', 'add_tags', 'remove_tags')
        -- made room: no difference is due for it
        AND op_id NOT IN (SELECT op_id FROM planned WHERE turn = 1)
),

-- A set that is written as a whole is compared by item.
sets AS (
    SELECT
        *,
        {{ items_of("json_extract_string(after, '$.\"' || field || '\"')") }} AS now,
        {{ items_of("json_extract_string(before, '$.\"' || field || '\"')") }} AS was
    FROM sent
    WHERE kind IN ('update', 'complete') AND list_contains(sets, field)
),

changed_items AS (
    SELECT
        *,
        unnest(list_concat(
            list_filter(now, lambda x: NOT list_contains(was, x)),
            list_filter(was, lambda x: NOT list_contains(now, x))
        )) AS item
    FROM sets
),

tags AS (
    SELECT
        *,
        unnest(from_json(json_extract_string(after, '$.tags'), '["VARCHAR"]')) AS item
    FROM sent
    WHERE kind IN ('add_tags', 'remove_tags')
),

parts AS (
    SELECT
        op_id,
        link_id,
        side,
        CASE WHEN list_contains(unsent, field) THEN 'skipped' ELSE fate END AS fate,
        field,
        json_extract_string(after, '$."' || field || '"') AS value,
        NULL AS item
    FROM sent
    WHERE kind IN ('update', 'complete') AND NOT list_contains(sets, field)
    UNION ALL BY NAME
    SELECT
        op_id,
        link_id,
        side,
        fate,
        field,
        CASE WHEN list_contains(now, item) THEN item END AS value,
        item
    FROM changed_items
    UNION ALL BY NAME
    SELECT
        op_id,
        link_id,
        side,
        fate,
        field,
        CASE kind WHEN 'add_tags' THEN item END AS value,
        item
    FROM tags
)

SELECT
    coalesce(d.link_id, p.link_id) AS link_id,
    coalesce(d.field, p.field) AS field,
    coalesce(d.item, p.item) AS item,
    p.op_id,
    d.value,
    CASE
        WHEN d.link_id IS NULL OR p.link_id IS NULL THEN 'unexplained'
        WHEN p.fate IN ('done', 'exists') THEN 'updated'
        ELSE p.fate
    END AS class
FROM due AS d
FULL JOIN parts AS p
    ON
        d.link_id = p.link_id
        AND d.target = p.side
        AND d.field = p.field
        AND d.item IS NOT DISTINCT FROM p.item
        AND d.value IS NOT DISTINCT FROM p.value;
