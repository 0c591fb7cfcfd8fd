-- worth_{s}: what a contact is known by under the match rules, as salted digests, as the ledger keeps it
{% from 'link/models/_identities.sql' import identities with context %}
CREATE OR REPLACE TABLE worth_{{ side }} AS
{% for rows in tables %}
{% set outer = loop %}
{% for rule in rules %}
SELECT
    key,
    sha256(concat_ws(chr(31), {{ salt | literal }}, '{{ entity }}', {{ rule.name | literal }}, identity))[1:{{ length }}] AS worth
FROM ({{ identities(rule, side, [], rows) }})
{{ 'UNION' if not (loop.last and outer.last) }}
{% endfor %}
{% endfor %}
{% if not rules %}
SELECT
    NULL::VARCHAR AS key,
    NULL::VARCHAR AS worth
WHERE false
{% endif %};
