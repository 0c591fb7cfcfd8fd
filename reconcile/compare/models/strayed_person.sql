-- strayed_{e}: a contact that may be another person by now, with the id of the question
CREATE OR REPLACE TABLE strayed_{{ entity }} AS
SELECT
    link_id,
    hold_id,
    action
FROM stranger
WHERE action = 'ask';
