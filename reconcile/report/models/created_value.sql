-- created_value_{e}: a value of a record that this run made, with its class
--
-- What was sent is held against what the side says it stores; of what was not sent, the class is what the next run does.
{% from 'report/models/_items.sql' import items_of %}
CREATE OR REPLACE TABLE created_value_{{ entity }} AS
SELECT
    link_id,
    app_key,
    ghl_key,
    side,
    unnest([
        {% for field in fields %}
        {% set name = field.name | literal %}
        {% set source = 'source.' ~ (field.name | quoted) %}
        {% set sent = 'sent.' ~ (field.name | quoted) %}
        {% set held = 'held.' ~ (field.name | quoted) %}
        {% set stored %}
            {% if field.by_item %}
            len(list_filter({{ items_of(sent) }}, lambda x: NOT list_contains({{ items_of(held) }}, x))) = 0
            {%- else %}
            {{ held }} IS NOT DISTINCT FROM {{ sent }}
            {%- endif %}
        {%- endset %}
        {
            'field': {{ name }},
            'class': CASE
                WHEN list_contains(coalesce(faults, []), {{ name }}) THEN 'unreadable'
                WHEN {{ sent }} IS NOT NULL AND NOT ({{ stored }}) THEN 'dropped'
                WHEN
                    {{ sent }} IS NOT NULL
                    AND residual IS NOT NULL
                    AND (list_contains(changed, {{ name }}) OR list_contains(changed, '*'))
                    THEN 'pending'
                WHEN {{ sent }} IS NOT NULL AND {{ source }} IS NULL THEN 'by_rule'
                WHEN {{ sent }} IS NOT NULL AND {{ held }} IS NOT DISTINCT FROM {{ source }}
                    THEN '{{ 'carried' if applied else 'pending' }}'
                WHEN {{ held }} IS NOT DISTINCT FROM {{ source }} THEN 'equal'
                {% for left in field.left %}
                WHEN
                    side = '{{ left.side }}'
                    AND ({{ source }} IS NULL) = {{ left.source_blank }}
                    AND ({{ held }} IS NULL) = {{ left.held_blank }}
                    THEN 'by_rule'
                {% endfor %}
                ELSE 'pending'
            END,
            'because': CASE
                WHEN list_contains(coalesce(faults, []), {{ name }}) THEN 'it cannot be read, so it was not sent'
                WHEN {{ sent }} IS NOT NULL AND NOT ({{ stored }}) THEN 'sent, and stored otherwise'
                WHEN {{ sent }} IS NOT NULL AND {{ source }} IS NULL
                    THEN 'blank on one side, the fallback on the other'
                ELSE coalesce(residual, 'not sent with the new record; the next run compares it')
            END,
            'source': {{ source }},
            'held': {{ held }}
        }{{ '' if loop.last else ',' }}
        {% endfor %}
    ]) AS value
FROM created_{{ entity }}
WHERE fate <> 'exists';
