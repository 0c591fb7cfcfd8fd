-- wide_{e}: a link with both ends there, known or new, with what the comparison needs to know of them
--
-- What is excluded, or strayed to another contact, is not compared: its other end may be another person's.
{% from 'compare/models/_ends.sql' import echo, edited, back with context %}
{% from 'compare/models/_strayed.sql' import asked_about, elsewhere, owner_left_out, waits, with_survivor with context %}
{% set strayed = '((' ~ elsewhere() ~ ') AND NOT ' ~ with_survivor() ~ ')' if entity.parent else asked_about() %}
{% set waiting = waits() if entity.parent else 'NULL' %}
{% set without_owner = owner_left_out() if entity.parent else 'false' %}
CREATE OR REPLACE TABLE wide_{{ entity }} (
    link_id VARCHAR,
    app_key VARCHAR,
    ghl_key VARCHAR,
    fresh BOOLEAN,  -- linked in this run, so that there is no baseline
    excluded BOOLEAN,  -- not compared: left out by a rule, strayed, or waiting
    strayed BOOLEAN,  -- an end hangs on another contact than its link's
    app_written VARCHAR,  -- when this job last wrote the record
    ghl_written VARCHAR,
    app_echo BOOLEAN,  -- the row is older than what the side told us itself
    ghl_echo BOOLEAN,
    app_digest BIGINT,
    ghl_digest BIGINT,
    app_modified VARCHAR,  -- the latest time that the side told, in this run or before
    ghl_modified VARCHAR,
    app_edited VARCHAR,  -- when a person last edited the record, as far as is known
    ghl_edited VARCHAR,
    newer VARCHAR,  -- the side that a person edited last: app, ghl, or NULL where nobody knows
    app_back BOOLEAN,  -- the record is older than it was seen already
    ghl_back BOOLEAN,
    waits VARCHAR  -- why it waits for its contact: ask until somebody says who that is, unread until it is read
);
{% if filled %}
INSERT INTO wide_{{ entity }} BY NAME
WITH ends AS (
    SELECT
        l.link_id,
        l.app_key,
        l.ghl_key,
        l.fresh,
        l.app_written,
        l.ghl_written,
        a.digest AS app_digest,
        g.digest AS ghl_digest,
        {{ strayed }} AS strayed,
        {{ waiting }} AS waits,
        a.excluded OR g.excluded OR {{ without_owner }} OR {{ strayed }} OR {{ waiting }} IS NOT NULL AS excluded,
        {{ echo('app', 'a') }} AS app_echo,
        {{ echo('ghl', 'g') }} AS ghl_echo,
        greatest(a.modified_at, l.app_modified) AS app_modified,
        greatest(g.modified_at, l.ghl_modified) AS ghl_modified,
        {{ edited('app', 'a') }} AS app_edited,
        {{ edited('ghl', 'g') }} AS ghl_edited,
        {{ back('app', 'a') }} AS app_back,
        {{ back('ghl', 'g') }} AS ghl_back
    FROM both_{{ entity }} AS l
    JOIN cell_{{ entity }}_app AS a ON l.app_key = a.key
    JOIN cell_{{ entity }}_ghl AS g ON l.ghl_key = g.key
    {% if entity.parent %}
    LEFT JOIN owner AS o ON l.parent = o.link_id
    {% endif %}
)

SELECT
    *,
    CASE WHEN app_edited > ghl_edited THEN 'app' WHEN ghl_edited > app_edited THEN 'ghl' END AS newer
FROM ends;
{% endif %}
