-- into unsure_{e}: two contacts that are probably one
--
-- A row without a counterpart is held on both sides, or it would be created across; held, it is not free any more.
{% for side, other in [('app', 'ghl'), ('ghl', 'app')] %}
INSERT INTO unsure_{{ entity }} BY NAME
WITH worded AS (
    SELECT
        {{ side }}_key AS key,
        {{ other }}_key AS candidate,
        weight,
        CASE WHEN probability > 0.999 THEN 'over 99.9' ELSE round(100 * probability, 1)::VARCHAR END AS percent,
        list_transform(
            list_filter(evidence, LAMBDA each: each.how <> 'different'),
            LAMBDA each: each.how || ' ' || replace(each.field, '_', ' ')
        ) AS alike
    FROM suggested
)

SELECT
    '{{ side }}' AS side,
    key,
    'ambiguous' AS kind,
    arg_max({{ (likeness ~ ' ') | literal }} || percent || ' %: ' || array_to_string(alike, ', '), weight) AS rule,
    list_sort(list(candidate)) AS candidates
FROM worded
GROUP BY key;
{% endfor %}
{% include 'link/models/_free_without_unsure.sql' %}
