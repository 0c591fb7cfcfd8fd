"""Erases a person from all that the product keeps, so that a kill at any point is made good.

Files first, then the copies of the ledger, and the ledger itself last: by it the person is found.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flows.clock import new_run_id, now
from flows.state import imprints, stores
from flows.state.leases import holder_name, lease
from flows.state.rewriting import Found, names, told_without
from reconcile.entities import OWNER
from reconcile.errors import StateError
from reconcile.ledger import erasing, runs, schema, tombstones
from reconcile.ledger.ledger import Ledger
from reconcile.link.identity import match_rules
from reconcile.model import Side
from reconcile.stage.erasing import Tables
from reconcile.values.codecs import Name
from reconcile.values.mapping import Mapping
from reconcile.values.names import is_name
from reconcile.values.person import Key, Person

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.state.erasing")

TABLE = schema.erasure

NOT_LOOKED_THROUGH = (
    "either side, and what people saved, sent or printed of a report",
    "exports that `export` wrote elsewhere, and copies of the ledger made with other tools",
    "the databases and logs of Prefect, of monitors and of whoever is told of alerts",
    "a database server's own files, backups and replicas",
)
"""Where the product cannot look, as the certificate says."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an erasure works on."""

    pair: Pair
    ledger: Ledger
    mapping: Mapping
    folder: Path

    @property
    def names(self) -> list[str]:
        """The fields of a contact's name, in order."""
        (owner,) = self.mapping.people()
        return [each.name for each in owner.fields if isinstance(each.codec, Name)]

    def folders(self) -> list[Path]:
        """The folders of all runs, brought here from the store where they have to be."""
        names = {name for name in stores.stored(self.pair) if is_name(name)}
        for path in self.folder.glob("*"):
            if path.is_dir() and not path.name.startswith("."):
                names.add(path.name)
        folders = [stores.brought(self.pair, self.folder / name) for name in sorted(names)]
        return [folder for folder in folders if folder.is_dir()]


# who it is ----------------------------------------------------------------------------------------


def find(desk: Desk, name: str) -> Person:
    """The person whom a key of the app or of GHL, or an email, names.

    Raises StateError where nothing is kept of such a one, and where it could be several people.
    """
    folders = desk.folders()
    keys = erasing.owners(desk.ledger, name) or _archived(folders, name)
    people: list[Person] = []
    for key in sorted(keys):
        if not any(key in person.keys for person in people):
            people.append(_gathered(desk, folders, key))
    if len(people) > 1:
        candidates = "; ".join(_keys(person) for person in people)
        raise StateError(
            f"more than one contact goes by that name: {candidates}",
            remedy="name one by its key, one after the other",
            code="ERASE",
        )
    if not people:
        raise StateError(
            "nothing is kept of a contact with that key or email",
            remedy="look for the person in the report; a key is that of the app or of GHL",
            code="NO_RECORD",
        )
    return people[0]


def _archived(folders: list[Path], name: str) -> set[Key]:
    """The contacts of that email or key in any archive, the newest that has one."""
    for folder in reversed(folders):
        with Tables(folder) as tables:
            ends: list[Key] = [(OWNER.value, side.value, name) for side in Side]
            keys = {key for key in ends if tables.has(key)}
            keys |= tables.contacts(name) if "@" in name else set()
        if keys:
            return keys
    return set()


def _keys(person: Person) -> str:
    ends = sorted((side, key) for kind, side, key in person.keys if kind == OWNER.value)
    return ", ".join(f"{Side(side).label} {key}" for side, key in ends)


def _gathered(desk: Desk, folders: list[Path], key: Key) -> Person:
    """All that ledger and archives know of a person by one key."""
    person = Person(keys={key})
    before = None
    while person.size != before:
        before = person.size
        erasing.gather(desk.ledger, person, names=desk.names)
        for folder in folders:
            with Tables(folder) as tables:
                _linked_then(desk, tables, person)
                tables.gather(person)
                _states(desk, tables, person)
    return person


def _linked_then(desk: Desk, tables: Tables, person: Person) -> None:
    """Take in with whom they were linked, unless that is somebody else by now."""
    for link_id, app_key, ghl_key in tables.linked(person):
        ends = ((OWNER.value, "app", app_key), (OWNER.value, "ghl", ghl_key))
        if not any(erasing.another(desk.ledger, person, end) for end in ends):
            person.links.add(link_id)
            person.keys.update(ends)


def _states(desk: Desk, tables: Tables, person: Person) -> None:
    (owner,) = desk.mapping.people()
    for side in Side:
        for raw in tables.states(person, side):
            cells = {each.name: each.decode(raw, side) for each in owner.fields}
            person.state(cells, names=desk.names)


def traits(desk: Desk, person: Person) -> set[tombstones.Trait]:
    """By what they would be known again: keys, and all that they had under a match rule."""
    known: set[tombstones.Trait] = set(person.keys)
    (owner,) = desk.mapping.people()
    for rule in match_rules(owner):
        fields = [owner.fields[place - 1].name for place in rule.places]
        for cells in person.cells:
            values = [cells.get(name) for name in fields]
            if all(values):
                worth = "\x1f".join(map(str, values))
                folded = worth.lower() if rule.folded else worth
                known.add((owner.entity.value, rule.name, folded))
    return known


# what is kept of them -----------------------------------------------------------------------------


def look(desk: Desk, person: Person) -> Found:
    """What an erasure would change. It changes nothing."""
    tally = Found()
    with desk.ledger.engine.connect() as connection:
        tally.ledger = erasing.clear(desk.ledger, connection, person)
        connection.rollback()
    for folder in desk.folders():
        told_without(folder, person, tally, really=False)
    waiting = [row for row in runs.runs(desk.ledger, limit=1_000_000) if _waits(row)]
    tally.plans = sum(row.run_id in tally.runs for row in waiting)
    for file in _copies(desk):
        tally.backups[file.name] = 0
    return tally


def _waits(row: runs.RunRow) -> bool:
    return row.state in ("planned", "refused") and row.plan_digest is not None


def _copies(desk: Desk) -> list[Path]:
    """The copies of the ledger that the product made, as far as they are still there."""
    table = schema.backup
    with desk.ledger.engine.connect() as connection:
        named = {Path(file) for file in connection.execute(sa.select(table.c.file)).scalars()}
    database = desk.ledger.engine.url.database
    if desk.ledger.engine.dialect.name == "sqlite" and database:
        target = Path(database)
        named |= set(target.parent.glob(f"{target.name}.before-*"))
    return sorted(path for path in named if path.is_file() and not path.name.endswith("-wal"))


# the erasure --------------------------------------------------------------------------------------


def erase(desk: Desk, name: str, *, by: str) -> dict[str, Any]:
    """Erase a person; returns the certificate, which is written into the store as well.

    Raises Locked while a run goes on, and StateError where one was interrupted, or where nothing is
    kept of such a person.
    """
    with lease(desk.ledger, holder_name("erase")):
        unsettled = runs.unsettled(desk.ledger)
        if unsettled:
            raise StateError(
                f"run {unsettled[0]} was interrupted, and its journal is needed to settle it",
                remedy="let the next run settle it, then erase",
                code="ERASE",
            )
        cleared = [each for each in _unfinished(desk) if each[1]["cleared"]]
        ended = [_finish(desk, *each) for each in cleared]
        try:
            person = find(desk, name)
        except StateError as error:
            if not ended or error.code != "NO_RECORD":
                raise
            return ended[-1]
        return _erase(desk, person, by=by)


def _stageless(desk: Desk) -> list[str]:
    """The runs whose plan cannot be carried out any more, as nothing is left to do it from."""
    rows = filter(_waits, runs.runs(desk.ledger, limit=1_000_000))
    return [row.run_id for row in rows if not (desk.folder / row.run_id / stores.STAGE).exists()]


def waits(desk: Desk) -> bool:
    """Whether an erasure was killed when only its end was missing: `erase` brings it to its end."""
    return any(body["cleared"] for _, body in _unfinished(desk))


def place(desk: Desk, certificate: dict[str, Any]) -> Path:
    """Where a certificate lies."""
    return desk.folder.parent / f"erased-{certificate['erasure']}.json"


def _erase(desk: Desk, person: Person, *, by: str) -> dict[str, Any]:
    erasure_id, body = _begun(desk, person, by=by)
    tally = Found()
    for folder in desk.folders():
        _rewrite(desk, folder, person, tally, noted=folder.name in body["noted"])
    shutil.rmtree(stores.links_folder(desk.folder / "any"), ignore_errors=True)
    shutil.rmtree(desk.folder / ".again", ignore_errors=True)
    known = traits(desk, person)
    for file in _copies(desk):
        _clear_copy(desk, file, person, tally, known)
    tally.mentioned = _mentioned(desk, person)
    with desk.ledger.transaction() as connection:
        tally.ledger = erasing.clear(desk.ledger, connection, person)
        tally.plans = erasing.withdraw(connection, desk.ledger.pair, _stageless(desk))
        tally.tombstones = len(known)
        body |= {"cleared": True, "found": asdict(tally), "of": []}
        _note(desk, connection, erasure_id, body=json.dumps(body))
    return _finish(desk, erasure_id, body)


def _begun(desk: Desk, person: Person, *, by: str) -> tuple[str, dict[str, Any]]:
    """The erasure's row: a new one, or that of the attempt that was killed.

    It is found by a tombstone of the contact, which comes first: from here on nothing brings them
    back unasked.
    """
    contacts = {key for key in person.keys if key[0] == OWNER.value}
    known = traits(desk, person)
    with desk.ledger.transaction() as connection:
        _put(desk.ledger, connection, known)
    salt = next(salt for _, salt, _ in tombstones.read(desk.ledger))
    own = sorted(tombstones.digest(salt, key) for key in contacts)
    for erasure_id, body in _unfinished(desk):
        if set(own) & set(body["of"]):
            return erasure_id, body
    erasure_id, noted = new_run_id("erase"), imprints.noted(desk.ledger)
    body = {"of": own, "noted": sorted(noted), "cleared": False}
    with desk.ledger.transaction() as connection:
        row = {"erasure_id": erasure_id, "at": now(), "by": by, "body": json.dumps(body)}
        connection.execute(sa.insert(TABLE).values(pair=desk.ledger.pair, **row))
    return erasure_id, body


def _put(ledger: Ledger, connection: sa.Connection, known: set[tombstones.Trait]) -> int:
    return tombstones.put(ledger, connection, known, salt=secrets.token_hex(16), at=now())


def _unfinished(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    query = sa.select(TABLE.c.erasure_id, TABLE.c.body).where(
        desk.ledger.owns(TABLE), TABLE.c.ended_at.is_(None)
    )
    with desk.ledger.engine.connect() as connection:
        return [(row.erasure_id, json.loads(row.body)) for row in connection.execute(query)]


def _note(desk: Desk, connection: sa.Connection, erasure_id: str, **values: object) -> None:
    mine = (desk.ledger.owns(TABLE), TABLE.c.erasure_id == erasure_id)
    connection.execute(sa.update(TABLE).where(*mine).values(**values))


def _rewrite(desk: Desk, folder: Path, person: Person, tally: Found, *, noted: bool) -> None:
    """Go through one run's files, with its imprint taken again: it has none meanwhile.

    What was changed by somebody before is not noted anew, and stays disbelieved.
    """
    ahead = Found()
    told_without(folder, person, ahead, really=False)
    if ahead.runs:
        try:
            imprints.check(desk.ledger, folder)
        except StateError:
            noted = False
            log.warning("changed by somebody before", extra={"run": folder.name})
        else:
            if noted:
                imprints.drop(desk.ledger, folder.name)
        told_without(folder, person, tally, really=True)
        stores.replace(desk.pair, folder)
    if noted and folder.name not in imprints.noted(desk.ledger):
        imprints.take(desk.ledger, folder)


def _clear_copy(
    desk: Desk, file: Path, person: Person, tally: Found, known: set[tombstones.Trait]
) -> None:
    """Take the person out of a copy of the ledger, where it is an SQLite file."""
    if not _is_sqlite(file):
        tally.unopened.append(file.name)
        return
    copy = Ledger(f"sqlite:///{file}", desk.ledger.pair)
    try:
        erasing.gather(copy, person, names=desk.names)
        with copy.transaction() as connection:
            rows = erasing.clear(copy, connection, person)
            _put(copy, connection, known)
        erasing.compact(copy)
    finally:
        copy.close()
    tally.backups[file.name] = sum(rows.values())


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as body:
        return body.read(16) == b"SQLite format 3\x00"


def _mentioned(desk: Desk, person: Person) -> list[str]:
    """Other files of the store that name the person: somebody else put them there."""
    store = desk.folder.parent
    pattern = person.pattern()
    database = Path(desk.ledger.engine.url.database or "").name
    return [
        path.name
        for path in sorted(store.glob("*"))
        if path.is_file() and not path.name.startswith(database or "\0") and names(path, pattern)
    ]


def _finish(desk: Desk, erasure_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Let the file of the ledger forget, write the certificate, and close the erasure."""
    erasing.compact(desk.ledger)
    with desk.ledger.engine.connect() as connection:
        mine = (desk.ledger.owns(TABLE), TABLE.c.erasure_id == erasure_id)
        row = connection.execute(sa.select(TABLE).where(*mine)).one()
    tally, ended_at = body["found"], now()
    certificate = {
        "erasure": erasure_id,
        "pair": desk.ledger.pair,
        "by": row.by,
        "began_at": row.at,
        "ended_at": ended_at,
        "ledger_rows": tally["ledger"],
        "runs": tally["runs"],
        "tables_written_again": tally["tables"],
        "rows_taken_out": tally["rows"],
        "rows_told_without": tally["told"],
        "documents_told_without": tally["documents"],
        "files_removed": tally["removed"],
        "plans_withdrawn": tally["plans"],
        "ledger_copies": tally["backups"],
        "ledger_copies_not_opened": tally["unopened"],
        "files_that_still_mention": tally["mentioned"],
        "tombstones": tally["tombstones"],
        "not_looked_through": NOT_LOOKED_THROUGH,
    }
    text = json.dumps(certificate, ensure_ascii=False, indent=1) + "\n"
    stores.certify(desk.pair, place(desk, certificate), text)
    with desk.ledger.transaction() as connection:
        _note(desk, connection, erasure_id, ended_at=ended_at, body=json.dumps(body))
    return certificate
