-- planned_link: a link that the plan makes or forgets in the ledger alone
--
-- New links of which both sides' rows are there come with their baseline: see `advanced`.
CREATE OR REPLACE TABLE planned_link AS
SELECT
    kind,
    entity,
    link_id,
    source_key,
    key,
    parent,
    because
FROM read_json(
    {{ plan | literal }},
    format = 'newline_delimited',
    maximum_object_size = {{ longest }},
    columns = {
        kind: 'VARCHAR',
        entity: 'VARCHAR',
        link_id: 'VARCHAR',
        source_key: 'VARCHAR',
        key: 'VARCHAR',
        parent: 'VARCHAR',
        because: 'VARCHAR'
    }
)
WHERE
    kind IN ('adopt', 'forget')
    {% if in_part %}
    AND link_id IN (SELECT link_id FROM approved)
    {% endif %};
