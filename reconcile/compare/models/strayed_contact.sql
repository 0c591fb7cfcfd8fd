-- strayed_contact: a contact that may be another person by now, with the id of the question
CREATE OR REPLACE TABLE strayed_contact AS
SELECT
    link_id,
    hold_id,
    action
FROM stranger
WHERE action = 'ask';
