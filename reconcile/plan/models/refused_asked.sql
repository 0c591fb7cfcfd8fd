-- refused_asked: a value that would only be refused again, with both records and the id of the question
CREATE OR REPLACE TABLE refused_asked AS
SELECT
    r.*,
    w.app_key,
    w.ghl_key,
    b.app_key AS other_app,
    b.ghl_key AS other_ghl,
    {{ hold_id('refused', entity, 'r.link_id', "r.field || coalesce(': ' || r.item, '')") }} AS hold_id,
    md5(concat_ws(chr(31), coalesce('=' || j.app, '-'), coalesce('=' || j.ghl, '-'), r.run_id))[1:20] AS values_digest
FROM refused_now AS r
JOIN wide_{{ entity }} AS w USING (link_id)
JOIN judged_{{ entity }} AS j ON r.link_id = j.link_id AND r.field = j.field AND r.item IS NOT DISTINCT FROM j.item
LEFT JOIN base_{{ entity }} AS b ON CASE r.target WHEN 'app' THEN b.app_key ELSE b.ghl_key END = r.other_key;
