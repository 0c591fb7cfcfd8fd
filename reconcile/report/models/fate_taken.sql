-- changes fate: a record that writing turned up is linked only if nothing else is: a record has one counterpart
UPDATE fate
SET fate = 'rejected'
WHERE
    kind = 'create'
    AND fate = 'exists'
    AND entity = '{{ entity }}'
    AND (
        CASE side
            WHEN 'app'
                THEN made_key IN (
                    SELECT app_key FROM base_{{ entity }}
                    UNION ALL
                    SELECT app_key FROM found_{{ entity }}
                )
            ELSE made_key IN (
                SELECT ghl_key FROM base_{{ entity }}
                UNION ALL
                SELECT ghl_key FROM found_{{ entity }}
            )
        END
        OR EXISTS (
            FROM fate AS o
            WHERE
                o.kind = 'create'
                AND o.entity = '{{ entity }}'
                AND o.side = fate.side
                AND o.made_key = fate.made_key
                AND (o.fate IN ('done', 'value_dropped') OR (o.fate = 'exists' AND o.seq < fate.seq))
        )
    );
