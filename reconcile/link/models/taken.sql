-- taken_{s}: a linked contact that an unlinked one may be the same as
CREATE OR REPLACE TABLE taken_{{ side }} AS
SELECT k.key
FROM known_{{ entity }}_{{ side }} AS k
ANTI JOIN unlinked_{{ entity }}_{{ side }} AS u ON k.key = u.key;
