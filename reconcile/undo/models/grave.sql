-- grave: a record whose link was forgotten a moment before the archived run; without rows where none were archived
CREATE TABLE grave AS
{% if archived %}
FROM {{ archived }};
{% else %}
SELECT
    NULL::VARCHAR AS entity,
    NULL::VARCHAR AS side,
    NULL::VARCHAR AS key,
    NULL::VARCHAR AS at
WHERE false;
{% endif %}
