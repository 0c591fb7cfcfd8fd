-- into value_{e}: what this run's own writes turned into another value, which the next run compares
UPDATE value_{{ entity }} AS v
SET class = 'pending', because = {{ because | literal }}
FROM turned_{{ entity }} AS t
WHERE v.link_id = t.link_id AND v.field = t.field AND v.class = 'carried';

INSERT INTO value_{{ entity }} BY NAME
SELECT
    link_id,
    app_key,
    ghl_key,
    field,
    'pending' AS class,
    {{ because | literal }} AS because,
    app,
    ghl
FROM turned_{{ entity }}
WHERE was_equal;
