-- into rewound: records with a value that a side went back to, about which the question of a night before is still open
--
-- An edit of another field gives the record a new time; what was asked about is as old as it was.
{% from 'compare/models/_answers.sql' import shown_values %}
INSERT INTO rewound BY NAME
SELECT DISTINCT
    '{{ entity }}' AS entity,
    '{{ side }}' AS side,
    d.link_id
FROM delta_{{ entity }} AS d
JOIN in_question AS q
    ON
        q.went_back
        AND q.hold_id = {{ hold_id('conflict', entity, 'd.link_id', 'd.field', "coalesce(d.item, '')") }}
        AND q.values_digest = {{ shown_values('d') }}
WHERE
    d.kind = '{{ side }}_moved'
    AND d.link_id NOT IN (
        SELECT r.link_id
        FROM rewound AS r
        WHERE r.entity = '{{ entity }}' AND r.side = '{{ side }}'
    );
