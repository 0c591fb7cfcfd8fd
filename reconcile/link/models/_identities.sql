{#- What records are known by under a match rule, and whose identities are asked for. -#}

{#- SQL for the identity that a row has by its list of cells; and for whether it has one. -#}
{% macro identity(rule, cells='cells') -%}
{% set each -%}
{% for place in rule.places %}{{ cells }}[{{ place }}]{{ ' || chr(31) || ' if not loop.last }}{% endfor %}
{%- endset %}
{{- 'lower(' ~ each ~ ')' if rule.folded else each }}
{%- endmacro %}
{% macro whole(rule, cells='cells') -%}
{% for place in rule.places %}{{ cells }}[{{ place }}] IS NOT NULL{{ ' AND ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#- (key, identity) of contacts: one row for each value that a row of known_{e}_{s} (or cell_{e}_{s}) is known by, further
    ones (another email address) included. `keys` is a list of SQL (key) for those that are asked for; all without one. -#}
{% macro identities(rule, side, keys=[], rows='known') -%}
{% set among %}
{% if keys %}({{ keys | join(' UNION ALL ') }}){% else %}{{ rows }}_{{ entity }}_{{ side }}{% endif %}
{% endset %}
SELECT
    key,
    {{ identity(rule) }} AS identity
FROM {{ rows }}_{{ entity }}_{{ side }}
WHERE
    {{ whole(rule) }}
    {% if keys %}
    AND key IN (SELECT key FROM {{ among }})
    {% endif %}
{% for table in rule.further[side] %}
UNION
SELECT
    key,
    identity
FROM {{ table }}
WHERE key IN (SELECT key FROM {{ among }})
{% endfor %}
{%- endmacro %}

{#- (key, identity) of tasks or notes that are free or held: what they have in common, and whose they are. -#}
{% macro identities_in_parent(rule, side) -%}
SELECT
    key,
    parent_link || chr(31) || {{ identity(rule) }} AS identity
FROM (
    SELECT
        key,
        cells,
        parent_link
    FROM free_{{ entity }}_{{ side }}
    UNION ALL
    SELECT
        c.key,
        c.cells,
        o.link_id AS parent_link
    FROM cell_{{ entity }}_{{ side }} AS c
    JOIN owner AS o ON c.parent = o.{{ side }}_key
    WHERE c.key IN ({{ held(side) }})
)
WHERE
    parent_link IS NOT NULL
    AND {{ whole(rule) }}
{%- endmacro %}

{% macro free(side) -%}
SELECT key FROM free_{{ entity }}_{{ side }}
{%- endmacro %}

{#- In doubt: a person is asked. -#}
{% macro held(side) -%}
SELECT key FROM unsure_{{ entity }} WHERE side = '{{ side }}'
{%- endmacro %}

{#- Linked before this run, or in it. -#}
{% macro linked(side) -%}
SELECT key FROM taken_{{ side }} UNION ALL SELECT {{ side }}_key FROM found_{{ entity }}
{%- endmacro %}

{#- Without a link when the run began; `excluded` asks for those that a rule of the pair file leaves out. -#}
{% macro unlinked(side, excluded) -%}
SELECT key
FROM known_{{ entity }}_{{ side }}
SEMI JOIN unlinked_{{ entity }}_{{ side }} USING (key)
WHERE {{ 'excluded' if excluded else 'NOT excluded' }}
{%- endmacro %}

{#- Whether two records contradict each other: each has an identity under an earlier rule, and those did not meet. -#}
{% macro contradict(side, key, other, other_key) -%}
({{ key }} IN (SELECT key FROM strong_{{ side }}) AND {{ other_key }} IN (SELECT key FROM strong_{{ other }}))
{%- endmacro %}
