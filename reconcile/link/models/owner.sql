-- owner: a linked contact with both keys, for the tasks and notes that hang on it
--
-- A view: a copy of a million links would cost as long as finding which of them moved. `due_owner` holds the contacts that
-- this run is to create, so that their tasks and notes may follow.
CREATE OR REPLACE TABLE due_owner (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR);
CREATE OR REPLACE VIEW stage.owner AS
SELECT
    link_id,
    app_key,
    ghl_key
FROM base_{{ entity }}
WHERE
    -- What hangs on a contact that a rule leaves out is left out with it.
    link_id NOT IN (SELECT link_id FROM left_out)
    {% if strangers %}
    -- A contact that may be another person by now owns nothing until that is answered; nor does one that was not read, where
    -- a rule may leave it out.
    AND link_id NOT IN (SELECT link_id FROM stranger_{{ entity }} WHERE action IN ('ask', 'unread'))
    {% endif %}
UNION ALL BY NAME
SELECT
    link_id,
    app_key,
    ghl_key
FROM found_{{ entity }}
UNION ALL BY NAME
FROM due_owner;
