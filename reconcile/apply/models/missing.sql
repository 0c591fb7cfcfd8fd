-- query (link_id, runs): a link whose end on this side is missing, with the number of complete runs that missed it
SELECT
    link_id,
    runs
FROM absence_{{ entity }}
WHERE gone = '{{ side }}' AND action NOT IN ('not_checked', 'outside', 'follow')
