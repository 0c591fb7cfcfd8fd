-- raw_{e}_{s}: a record as the archived run read it, with the native fields that the pair file names now
CREATE TABLE raw_{{ entity }}_{{ side }} AS
SELECT
    key,
    parent,
    version,
    modified_at,
    deleted,
    {% for place in places %}
    r{{ place }} AS r{{ loop.index0 }},
    {% endfor %}
    digest
FROM {{ archived }};
