-- query (hold_id, values_digest): the questions about records that are missing where others went back
SELECT
    x.hold_id,
    x.values_digest
FROM absence_{{ entity }} AS x
SEMI JOIN missed_{{ entity }} AS m ON x.link_id = m.link_id
WHERE x.gone = '{{ side }}' AND x.action = 'hold'
ORDER BY ALL
