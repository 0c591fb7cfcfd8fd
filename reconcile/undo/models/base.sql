-- base_{e}: a link as the archived run knew it
CREATE TABLE base_{{ entity }} AS
FROM {{ archived }};

-- an archive from before there were such columns
ALTER TABLE base_{{ entity }} ADD COLUMN IF NOT EXISTS app_edited VARCHAR;

ALTER TABLE base_{{ entity }} ADD COLUMN IF NOT EXISTS ghl_edited VARCHAR;
