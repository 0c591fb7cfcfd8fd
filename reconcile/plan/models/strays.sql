-- into hold, operation, passed: what becomes of strayed tasks and notes
--
-- The old one goes first, and the new one comes only once it is gone: with both, GHL would have the same thing twice.
{% from 'plan/models/_json.sql' import members %}
INSERT INTO hold BY NAME
SELECT
    hold_id,
    'moved' AS kind,
    '{{ entity }}' AS entity,
    link_id AS subject,
    app_key,
    ghl_key,
    'it hangs on another contact than when it was linked: moved, or its key was given to another record; GHL cannot move it'
    || CASE
        WHEN movable AND apart <> []
            THEN
                '; `move` makes it as the app has it, and what GHL has in '
                || array_to_string(apart, ', ') || ' goes'
        ELSE ''
    END AS because,
    list_filter(['move', 'unlink', 'keep'], lambda x: CASE x WHEN 'move' THEN movable WHEN 'unlink' THEN NOT same ELSE true END) AS options,
    json_object('app_contact', app_parent, 'ghl_contact', ghl_parent) AS "values",
    values_digest
FROM strayed_{{ entity }}
WHERE action = 'ask';

INSERT INTO operation BY NAME
SELECT
    {{ phases.MAKE_WAY }} AS phase,
    'delete' AS kind,
    '{{ entity }}' AS entity,
    'ghl' AS side,
    link_id,
    ghl_key AS key,
    app_key AS source_key,
    ghl_parent AS parent_key,
    {{ members('ghl', fields) }} AS before,
    version AS guard,
    'decided by ' || "by" || ': move' AS because,
    'high' AS risk
FROM strayed_{{ entity }}
WHERE action = 'move';

INSERT INTO operation BY NAME
SELECT
    {{ phases.CREATE }} AS phase,
    'create' AS kind,
    '{{ entity }}' AS entity,
    'ghl' AS side,
    link_id,
    app_key AS source_key,
    parent,
    parent_key,
    {{ members('cells', fields) }} AS source,
    {{ members('filled', sent) }} AS after,
    'decided by ' || "by" || ': move' AS because
FROM strayed_{{ entity }}
WHERE action = 'move';

INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    'ghl' AS side,
    ghl_key AS key,
    'deleted' AS class,
    'made again on the contact where the app has it now' AS because
FROM strayed_{{ entity }}
WHERE action = 'move';
