-- strayed_{e}: a record that may be another's by now, with the id of the question; where a run does not see both ends,
-- it counts among what was not read
CREATE OR REPLACE TABLE strayed_{{ entity }} AS
SELECT
    link_id,
    hold_id,
    action
FROM stranger_{{ entity }}
WHERE action = 'ask' AND side IS NOT NULL;
