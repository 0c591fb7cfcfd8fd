-- anew_{e}: a link whose lost end was made anew, as it was: what is looked at once more may show something else
CREATE OR REPLACE TABLE anew_{{ entity }} AS
SELECT b.*
FROM left_alone AS a
JOIN base_{{ entity }} AS b ON a.key = CASE a.gone WHEN 'app' THEN b.ghl_key ELSE b.app_key END
SEMI JOIN found_{{ entity }} AS f ON a.key = CASE a.gone WHEN 'app' THEN f.ghl_key ELSE f.app_key END;
