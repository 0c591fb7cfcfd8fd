-- into value_{e}: what a whole link is: left out by a rule, hanging on another contact than before, or not read on both sides
INSERT INTO value_{{ entity }} BY NAME
SELECT
    t.link_id,
    t.app_key,
    t.ghl_key,
    NULL AS field,
    CASE
        WHEN w.strayed AND h.subject IS NOT NULL THEN 'held'
        WHEN w.strayed THEN 'by_rule'
        WHEN w.waits = 'ask' THEN 'held'
        WHEN w.waits IS NOT NULL THEN 'not_read'
        WHEN w.excluded OR x.action = 'outside' THEN 'by_rule'
        ELSE 'not_read'
    END AS class,
    CASE
        WHEN w.strayed THEN 'whether it is still the same is asked'
        WHEN w.waits = 'ask' THEN 'its contact is asked about'
        WHEN w.waits IS NOT NULL THEN 'its contact could not be read in this run'
        WHEN w.excluded THEN 'left out by an exclude rule'
        WHEN x.action = 'outside' THEN x.because
        ELSE 'not read on both sides in this run'
    END AS because
FROM tie_{{ entity }} AS t
LEFT JOIN wide_{{ entity }} AS w USING (link_id)
LEFT JOIN absence_{{ entity }} AS x USING (link_id)
LEFT JOIN (SELECT DISTINCT subject FROM hold WHERE entity = '{{ entity }}') AS h
    ON t.link_id = h.subject
WHERE
    t.paired
    {% if in_part %}
    -- The run was about some contacts alone: of a link that it read on neither side it says nothing.
    AND NOT (t.app_state = 'unknown' AND t.ghl_state = 'unknown')
    {% endif %}
    AND (coalesce(w.excluded, false) OR t.app_state = 'unknown' OR t.ghl_state = 'unknown');
