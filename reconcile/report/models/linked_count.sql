-- query (number): how many pairs are linked after the run, counted from the links alone
SELECT
    (SELECT count(*) FROM tie_{{ entity }} WHERE paired)
    + (
        SELECT count(*)
        FROM fate
        WHERE
            kind = 'create'
            AND entity = '{{ entity }}'
            AND fate IN ('done', 'value_dropped', 'exists')
    )
