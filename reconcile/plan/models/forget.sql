-- into operation: links that an answer takes apart, so that their records are matched or made anew
INSERT INTO operation BY NAME
SELECT
    {{ phases.FORGET }} AS phase,
    'forget' AS kind,
    '{{ entity }}' AS entity,
    'ghl' AS side,
    link_id,
    ghl_key AS key,
    app_key AS source_key,
    parent,
    because
FROM released_{{ entity }}
-- The deletion of what is made again ends its link.
WHERE link_id NOT IN (SELECT m.link_id FROM made_again_{{ entity }} AS m);
