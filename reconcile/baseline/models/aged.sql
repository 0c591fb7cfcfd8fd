-- aged: a link whose baseline was made by an older revision of a codec
--
-- With which of its ends show the very row that the baseline was made of: that baseline is what the row gives now, also
-- where the former canonical form had lost something of it.
CREATE OR REPLACE TABLE aged AS
SELECT
    b.link_id,
    m.app_key,
    m.ghl_key,
    {% if same_rows %}
    coalesce(m.app_row = m.app_digest, false) AS app_same,
    coalesce(m.ghl_row = m.ghl_digest, false) AS ghl_same
    {% else %}
    -- Digests of another mapping or hash function say nothing.
    false AS app_same,
    false AS ghl_same
    {% endif %}
FROM basecell_{{ entity }} AS b
JOIN moved_{{ entity }} AS m ON b.link_id = m.link_id
WHERE b.codecs IS DISTINCT FROM {{ codecs | literal }};
