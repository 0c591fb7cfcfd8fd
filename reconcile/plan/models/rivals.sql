-- query (key, rival): records of a side that are to get a value, each with a record that has it
{% from 'plan/models/_holders.sql' import holders with context %}
WITH wanted AS (
    SELECT
        key,
        new_value
    FROM want
    WHERE {{ wanted }}
),

holder AS (
    {{ holders(holder, 'wanted', 'new_value') }}
)

SELECT
    w.key,
    h.key AS rival
FROM wanted AS w
JOIN holder AS h ON w.new_value = h.new_value AND w.key <> h.key
ORDER BY w.key, rival
