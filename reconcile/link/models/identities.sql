-- query (key, identity): what contacts are known by under a match rule
{% from 'link/models/_identities.sql' import identities with context %}
{{ identities(rule, side, keys, rows) }}
