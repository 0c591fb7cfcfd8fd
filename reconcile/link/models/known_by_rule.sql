-- into known_by: the identities of all staged contacts of a side by one rule
INSERT INTO known_by BY NAME
SELECT
    {{ rule }} AS rule,
    '{{ side }}' AS side,
    i.key,
    i.identity
FROM ({{ identities }}) AS i;
