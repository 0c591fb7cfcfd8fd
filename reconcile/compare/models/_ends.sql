{#- What is known of one end of a link `l`: `row` is its row of cell_{e}_{s}. -#}

{#- An index entry older than what the side itself told us on our last write: the baseline is nearer the truth. Where something
    would be done about such a link, `doubtful` has it read by key, and what was read by key is no echo. -#}
{% macro echo(side, row) -%}
coalesce({{ row }}.modified_at < l.{{ side }}_modified, false)
AND {{ row }}.key NOT IN (FROM proven_{{ entity }}_{{ side }})
{%- endmacro %}

{#- When a person last edited the record, as far as is known. A time that is not later than what the side told us of our own
    write says nothing new. After a write of which the side told no time (`edited` is NULL then), neither does one near it. -#}
{% macro edited(side, row) -%}
CASE
    WHEN l.fresh THEN {{ row }}.modified_at
    WHEN {{ row }}.modified_at <= l.{{ side }}_modified THEN l.{{ side }}_edited
    WHEN
        l.{{ side }}_edited IS NULL
        AND try_cast({{ row }}.modified_at AS TIMESTAMPTZ)
        <= try_cast(l.{{ side }}_written AS TIMESTAMPTZ) + INTERVAL {{ clocks_apart }} SECOND
        THEN NULL
    ELSE {{ row }}.modified_at
END
{%- endmacro %}

{#- Whether the row, read by its key, is older than the ledger has seen it already: by more than the `slack`, in seconds, with
    which the servers of an application keep time. -#}
{% macro back(side, row) -%}
coalesce(
    NOT l.fresh
    AND {{ row }}.key IN (FROM proven_{{ entity }}_{{ side }})
    AND try_cast({{ row }}.modified_at AS TIMESTAMPTZ)
    < try_cast(l.{{ side }}_modified AS TIMESTAMPTZ) - INTERVAL {{ slack }} SECOND,
    false
)
{%- endmacro %}
