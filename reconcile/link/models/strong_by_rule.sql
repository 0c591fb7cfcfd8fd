-- into strong_{s}: the records that have an identity under a match rule, for the rules that come after it
{% from 'link/models/_identities.sql' import identities with context %}
INSERT INTO strong_{{ side }} BY NAME
SELECT DISTINCT key
FROM ({{ identities(rule, side) }});
