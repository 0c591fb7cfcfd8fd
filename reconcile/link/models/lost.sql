-- lost_{s}: a contact's link that lost its end on this side
CREATE OR REPLACE TABLE lost_{{ side }} AS
SELECT
    link_id,
    {{ side }}_key AS lost,
    {{ other }}_key AS kept
FROM moved_{{ entity }}
WHERE {{ side }}_state IN ('absent', 'deleted') AND {{ other }}_state = 'present';
