-- query (hold_id): what a person is, or was, asked about and this run still finds so
SELECT hold_id
FROM judged_{{ entity }}
WHERE action = 'ask' OR starts_with(because, 'decided by')
UNION
SELECT hold_id
FROM absence_{{ entity }}
