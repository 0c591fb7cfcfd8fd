{#- Why a link is not compared: one of its ends may belong to another person by now. -#}

{#- Whether a link's ends (a, g) hang on other contacts than those of its own contact's link (o). Somebody moved one of them,
    or its key was given to another record (SQLite does so). -#}
{% macro elsewhere() -%}
coalesce(a.parent <> o.app_key, false) OR coalesce(g.parent <> o.ghl_key, false)
{%- endmacro %}

{#- Whether an end hangs where a merge has moved it: on the contact that its own contact was merged into. -#}
{% macro with_survivor() -%}
EXISTS (
    FROM survivor_{{ entity.parent }} AS v
    WHERE
        v.link_id = l.parent
        AND CASE v.side WHEN 'app' THEN v.key = a.parent ELSE v.key = g.parent END
)
{%- endmacro %}

{#- Whether it is asked whose record an end of a link (l) is by now. -#}
{% macro asked_about() -%}
l.link_id IN (SELECT link_id FROM stranger_{{ entity }} WHERE action = 'ask')
{%- endmacro %}

{#- Why a task or note (l) waits: it is asked who its contact is, or that was not read and a rule may leave it out. -#}
{% macro waits() -%}
(SELECT any_value(s.action) FROM stranger_{{ entity.parent }} AS s WHERE s.link_id = l.parent AND s.action IN ('ask', 'unread'))
{%- endmacro %}

{#- Whether a rule leaves out the contact of a task or note (l). -#}
{% macro owner_left_out() -%}
coalesce(l.parent IN (SELECT link_id FROM left_out), false)
{%- endmacro %}
