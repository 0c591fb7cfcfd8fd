"""Linked contacts of which an end seems to be another person by now: the question, and what waits until it is answered."""

from __future__ import annotations

from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Name
from reconcile.values.mapping import EntityMap, Mapping

_HOLD_ID = "md5('stranger' || chr(31) || {link_id})[1:20]"

# An answer is about the two records as they were shown.
_DIGEST = "md5(concat_ws(chr(31), a.digest, g.digest))[1:20]"

_TABLE = """
CREATE OR REPLACE TABLE stranger (
    link_id VARCHAR, side VARCHAR, app_key VARCHAR, ghl_key VARCHAR, hold_id VARCHAR, values_digest VARCHAR, action VARCHAR);
"""

_FIND = f"""
INSERT INTO stranger BY NAME
WITH ends AS (
    SELECT m.link_id, m.app_key, m.ghl_key, {_HOLD_ID.format(link_id="m.link_id")} AS hold_id, {_DIGEST} AS values_digest,
        CASE WHEN {{app}} THEN 'app' WHEN {{ghl}} THEN 'ghl' END AS side
    FROM moved_contact m JOIN basecell_contact b ON b.link_id = m.link_id
    JOIN cell_contact_app a ON a.key = m.app_key JOIN cell_contact_ghl g ON g.key = m.ghl_key
    WHERE m.app_state = 'present' AND m.ghl_state = 'present' AND NOT a.excluded AND NOT g.excluded AND ({{apart}})
)
SELECT e.*, CASE WHEN d.choice = 'same' THEN 'same' ELSE 'ask' END AS action
FROM ends e LEFT JOIN decision d ON d.hold_id = e.hold_id AND d.values_digest = e.values_digest WHERE e.side IS NOT NULL;
"""

_UNLINKED = f"""
INSERT INTO released_contact
SELECT b.link_id, b.app_key, b.ghl_key, b.parent, NULL, 'decided by ' || d."by" || ': ' || d.choice
FROM (SELECT *, {_HOLD_ID.format(link_id="link_id")} AS hold_id FROM base_contact) b
JOIN decision d ON d.hold_id = b.hold_id AND d.choice = 'unlink'
JOIN raw_contact_app a ON a.key = b.app_key AND NOT a.deleted JOIN raw_contact_ghl g ON g.key = b.ghl_key AND NOT g.deleted
WHERE d.values_digest = {_DIGEST};
DELETE FROM base_contact WHERE link_id IN (SELECT link_id FROM released_contact);
"""

# Their tasks and notes hang on two people by now; each finds its contact anew.
_CHILDREN = """
INSERT INTO released_{e}
SELECT b.link_id, b.app_key, b.ghl_key, b.parent, NULL, p.because FROM base_{e} b
JOIN released_contact p ON p.link_id = b.parent AND p.gone IS NULL;
DELETE FROM base_{e} WHERE link_id IN (SELECT link_id FROM released_{e});
"""

_DRAFT = """
CREATE OR REPLACE TABLE strayed_contact AS SELECT link_id, hold_id, action FROM stranger WHERE action = 'ask';
INSERT INTO hold
SELECT s.hold_id, 'another', 'contact', s.link_id, NULL, s.side, s.app_key, s.ghl_key,
    'everything that it was known by changed at once in ' || CASE s.side WHEN 'app' THEN 'the app' ELSE 'GHL' END
        || ' ({names}): another person under the same key?',
    ['same', 'unlink'], json_object({values}), s.values_digest
FROM stranger s JOIN basecell_contact b USING (link_id)
JOIN cell_contact_app a ON a.key = s.app_key JOIN cell_contact_ghl g ON g.key = s.ghl_key WHERE s.action = 'ask';
"""

WAITS = "coalesce(l.parent IN (SELECT link_id FROM stranger WHERE action = 'ask'), false)"
"""SQL for whether a task or note (l) waits until somebody said who its contact is."""

ASKED = "l.link_id IN (SELECT link_id FROM stranger WHERE action = 'ask')"
"""SQL for whether a contact's link (l) is asked about."""

_LEFT = """
UPDATE absence_{e} SET action = 'not_checked', because = 'its contact may be another person by now; that is asked first'
WHERE parent IN (SELECT link_id FROM stranger WHERE action = 'ask') AND action <> 'not_checked'
"""


def known_by(mapped: EntityMap) -> list[int]:
    """The places of the fields that tell people apart: those of the match rules, and names."""
    names = {name for rule in mapped.match for name in rule}
    return [
        at
        for at, field in enumerate(mapped.fields, start=1)
        if (field.name in names or isinstance(field.codec, Name)) and field.app and field.ghl
    ]


def find(stage: Stage, mapped: EntityMap) -> None:
    """Create `stranger`: linked contacts whose every identifying value that was known changed at once on one side.

    Two values at least must have been known: who was known by an email alone may have a new one. Where both sides now say
    the same of the person, somebody changed it on purpose. `action` is ask, or same where a person said so.
    """
    stage.run(_TABLE)
    places = known_by(mapped)
    if len(places) > 1 and stage.some(f"moved_{mapped.entity}"):
        apart = " OR ".join(f"a.cells[{at}] IS DISTINCT FROM g.cells[{at}]" for at in places)
        stage.run(_FIND.format(apart=apart, **{side: _replaced(side, places) for side in Side}))


def _replaced(side: Side, places: list[int]) -> str:
    """SQL for whether all that a side's record was known by is other, and not just blank."""
    row = side[0]
    many = " + ".join(f"(b.{side}[{at}] IS NOT NULL)::INTEGER" for at in places)
    each = [
        f"(b.{side}[{at}] IS NULL OR {row}.cells[{at}] IS DISTINCT FROM b.{side}[{at}])"
        for at in places
    ]
    filled = " OR ".join(f"{row}.cells[{at}] IS NOT NULL" for at in places)
    return f"({many} > 1 AND {' AND '.join(each)} AND ({filled}))"


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take apart what a person said are two people, with what hangs on them: each is matched, or created across, anew."""
    if mapped.entity is not Entity.CONTACT:
        if stage.some("released_contact WHERE gone IS NULL"):
            stage.run(_CHILDREN.format(e=mapped.entity))
    elif any(stage.one("SELECT EXISTS (FROM decision WHERE choice = 'unlink')")):
        stage.run(_UNLINKED)


def leave(stage: Stage, mapping: Mapping) -> None:
    """Let what hangs on a contact that is asked about wait: no absence of it counts."""
    for mapped in mapping.entities if stage.some("stranger") else ():
        if mapped.entity is not Entity.CONTACT:
            stage.run(_LEFT.format(e=mapped.entity))


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Add the questions to `hold`, and `strayed_contact` (link_id, hold_id, action) for the statement."""
    places = known_by(mapped)
    named = [mapped.fields[at - 1].name for at in places]
    members = (
        f"{literal(f'{name}: {what}')}, {cells}[{at}]"
        for name, at in zip(named, places, strict=True)
        for what, cells in (
            ("before", "CASE s.side WHEN 'app' THEN b.app ELSE b.ghl END"),
            ("app", "a.cells"),
            ("ghl", "g.cells"),
        )
    )
    stage.run(_DRAFT.format(names=", ".join(named).replace("'", "''"), values=", ".join(members)))
