-- query (key): staged contacts that were last changed before an instant, by their own date
SELECT key
FROM raw_{{ entity }}_{{ side }}
WHERE try_cast(modified_at AS TIMESTAMPTZ) < {{ since | literal }}::TIMESTAMPTZ
