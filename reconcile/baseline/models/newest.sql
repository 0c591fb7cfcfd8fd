-- query (modified_at): the latest date of change among the rows that an archived bulk read showed
SELECT arg_max(r.modified_at, try_cast(r.modified_at AS TIMESTAMPTZ)) AS modified_at
FROM {{ raw }} AS r
ANTI JOIN {{ proven }} AS p ON r.key = p.key
