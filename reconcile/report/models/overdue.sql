-- query (key, due): looked-at tasks of a side that are open, and were due long before the snapshot
SELECT
    key,
    {{ due }} AS due
FROM cell_{{ entity }}_{{ side }}
WHERE
    NOT deleted
    AND coalesce({{ completed }}, 'false') = 'false'
    AND try_cast({{ due }} AS TIMESTAMPTZ) < {{ taken_at | literal }}::TIMESTAMPTZ - INTERVAL {{ days }} DAY
