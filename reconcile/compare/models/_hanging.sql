{#- What hangs on a contact where it still is: `side`, over a link `l`; `children` are the entities that hang on contacts. -#}

{#- Its tasks, or notes, that differ from their baseline (y), or that somebody moved there from another contact; `m` is
    their link. -#}
{% macro changed(child, side) -%}
cell_{{ child }}_{{ side }} AS x
JOIN moved_{{ child }} AS m ON x.key = m.{{ side }}_key
JOIN basecell_{{ child }} AS y USING (link_id)
WHERE x.parent = l.{{ side }}_key AND (x.cells IS DISTINCT FROM y.{{ side }} OR m.parent <> l.link_id)
{%- endmacro %}

{#- Its tasks, or notes, that have no link. -#}
{% macro unlinked(child, side) -%}
cell_{{ child }}_{{ side }} AS x
SEMI JOIN unlinked_{{ child }}_{{ side }} AS u ON x.key = u.key
WHERE x.parent = l.{{ side }}_key AND NOT x.excluded
{%- endmacro %}

{#- Whether a cell names this record: by the app's key, or by its name, which is at `name` in its own `row`. -#}
{% macro names(cell, row, name) -%}
{% if name -%}
lower({{ cell }}) = lower({{ row }}.cells[{{ name }}])
{%- else -%}
{{ cell }} = l.app_key
{%- endif %}
{%- endmacro %}

{#- The records that name this one, `row`, and were made there, or given to it, since the other side last had it, as text: what
    an answer about it has to know: '' for those that name it by its name, which is on both sides by the next night. `referring`
    are their kind, the place of the value that names it, and, where it does so by its name, the place of that. -#}
{% macro given(side, row) -%}
{% if referring %}
(
    SELECT string_agg(DISTINCT key, chr(30) ORDER BY key)
    FROM (
        {% for kind, place, name in referring %}
        SELECT {{ "''" if name else 'x.key' }} AS key
        FROM cell_{{ kind }}_{{ side }} AS x
        SEMI JOIN unlinked_{{ kind }}_{{ side }} AS u ON x.key = u.key
        WHERE {{ names('x.cells[' ~ place ~ ']', row, name) }} AND NOT x.excluded
        UNION ALL
        SELECT {{ "''" if name else 'x.key' }} AS key
        FROM cell_{{ kind }}_{{ side }} AS x
        JOIN moved_{{ kind }} AS m ON x.key = m.{{ side }}_key
        JOIN basecell_{{ kind }} AS y USING (link_id)
        WHERE
            {{ names('x.cells[' ~ place ~ ']', row, name) }}
            AND NOT coalesce({{ names('y.' ~ side ~ '[' ~ place ~ ']', row, name) }}, false)
            AND NOT x.excluded
        {{ '' if loop.last else 'UNION ALL' }}
        {% endfor %}
    )
)
{%- else -%}
NULL::VARCHAR
{%- endif %}
{%- endmacro %}

{#- Whether the contact, or something that hangs on it, is other than the other side last had it. -#}
{% macro touched(side, row) -%}
{{ row }}.cells IS DISTINCT FROM b.{{ side }}
{%- for child in children %}

OR EXISTS (FROM {{ unlinked(child, side) }})
OR EXISTS (FROM {{ changed(child, side) }})
{%- endfor %}
{%- endmacro %}

{#- Whether a task or note was changed and its other end is still there: that change goes across first. -#}
{% macro waits(side, other) -%}
false
{%- for child in children %}

OR EXISTS (FROM {{ changed(child, side) }} AND m.{{ other }}_state = 'present')
{%- endfor %}
{%- endmacro %}

{#- The changed tasks and notes that have no other end, as text: what an answer about the contact has to know. -#}
{% macro without_other_end(side, other) -%}
{% if children %}
(
    SELECT string_agg(key || chr(31) || cells, chr(30) ORDER BY key, cells)
    FROM (
        {% for child in children %}
        SELECT
            x.key,
            x.cells::VARCHAR AS cells
        FROM {{ changed(child, side) }} AND m.{{ other }}_state <> 'present'
        UNION ALL
        SELECT
            x.key,
            x.cells::VARCHAR AS cells
        FROM {{ unlinked(child, side) }} AND x.key NOT IN (SELECT {{ side }}_key FROM released_{{ child }})
        {{ '' if loop.last else 'UNION ALL' }}
        {% endfor %}
    )
)
{%- else -%}
NULL::VARCHAR
{%- endif %}
{%- endmacro %}
