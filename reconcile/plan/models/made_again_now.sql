-- into made_again_{e}, operation, passed, changes free_{e}_{s}: what merged contacts that go have left behind on a side
--
-- The old one goes first, and the new one comes, under the same link, only once it is gone: a run that is killed between
-- leaves nothing twice.
{% from 'plan/models/_json.sql' import members %}
INSERT INTO made_again_{{ entity }} BY NAME
SELECT
    '{{ side }}' AS side,
    r.{{ side }}_key AS key,
    r.{{ other }}_key AS survivors,
    r.link_id
FROM released_{{ entity }} AS r
JOIN left_behind AS c ON r.parent = c.link_id AND c.side = '{{ other }}'
JOIN absence_{{ entity.parent }} AS x ON r.parent = x.link_id AND x.action = 'mirror'
SEMI JOIN free_{{ entity }}_{{ side }} AS f ON r.{{ side }}_key = f.key
SEMI JOIN free_{{ entity }}_{{ other }} AS s ON r.{{ other }}_key = s.key
WHERE r.gone IS NULL;

INSERT INTO operation BY NAME
SELECT
    {{ phases.MAKE_WAY }} AS phase,
    'delete' AS kind,
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    m.link_id,
    m.key,
    m.survivors AS source_key,
    f.parent AS parent_key,
    {{ members('f.cells', fields) }} AS before,
    f.version AS guard,
    'its contact was merged into another one, where it is made again' AS because,
    'high' AS risk
FROM made_again_{{ entity }} AS m
JOIN free_{{ entity }}_{{ side }} AS f ON m.key = f.key
WHERE m.side = '{{ side }}';

INSERT INTO passed BY NAME
SELECT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    key,
    'deleted' AS class,
    'its contact was merged into another one, where it is made again' AS because
FROM made_again_{{ entity }}
WHERE side = '{{ side }}';

DELETE FROM free_{{ entity }}_{{ side }}
WHERE key IN (SELECT m.key FROM made_again_{{ entity }} AS m WHERE m.side = '{{ side }}');
