"""How an undo learns what is so now.

Records, links, what hangs on contacts, who is there again, and what archives kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.run import Run
from flows.state.imprints import trusted
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError, StateError
from reconcile.ledger import runs, schema
from reconcile.model import Cells, Entity, Side
from reconcile.plan import planfile
from reconcile.plan.dependants import Hanging
from reconcile.ports import Page, Scope, Shape
from reconcile.ports import Path as JsonPath
from reconcile.stage.archive import MANIFEST, Archived, Buried
from reconcile.undo.present import NEVER_READ, Present
from reconcile.undo.twins import Twins
from reconcile.values.mapping import Mapping
from reconcile.values.names import checked

_FURTHER_BACK = 100
"""Archives of earlier runs that are asked for notes that the run itself had no budget to read."""

_WITH_ARCHIVE = ("settled", "recovered", "stopped")
"""States of runs that left an archive, unless it was removed since."""


def present(run: Run, of: str, stack: ExitStack) -> Present:
    """How to learn what is so now, for the undo of run `of`.

    Archives stay open as long as `stack`.
    """
    graves, since = _Graves(run, of, stack), began(run, of)
    return Present(
        mapping=run.mapping,
        read=lambda side, entity, key, parent: run.connectors[side].read(entity, key, parent),
        children=lambda side, contact: children(run, side, contact),
        key_of=lambda entity, link_id, side: key_of(run, entity, link_id, side),
        link_of=lambda entity, side, key: _link_of(run, entity, side, key),
        buried=graves.dig,
        twin=lambda entity, side, cells: twin(run, entity, side, cells, since),
    )


def began(run: Run, of: str) -> str:
    """When a run began; "" for one that the ledger does not know."""
    row = runs.find(run.ledger, run_id=of)
    if row is None:
        return ""
    return row.started_at


def key_of(run: Run, entity: Entity, link_id: str, side: Side) -> str | None:
    """The key of a linked record on a side."""
    for batch in run.ledger.link_rows(entity, [link_id], [f"{side}_key"]):
        for row in batch:
            return str(row[0])
    return None


def _link_of(run: Run, entity: Entity, side: Side, key: str) -> str | None:
    table = schema.link
    mine = (
        run.ledger.owns(table),
        table.c.entity == entity.value,
        table.c[f"{side}_key"] == key,
    )
    with run.ledger.engine.connect() as connection:
        return connection.execute(sa.select(table.c.link_id).where(*mine)).scalar_one_or_none()


def children(run: Run, side: Side, contact: str) -> Hanging:
    """What hangs on a contact now, mapped or not.

    Raises ConnectorError where something mapped cannot be read whole.
    """
    there: list[tuple[Entity, str]] = []
    unread: dict[Entity, str] = {}
    described = run.described[side].fields
    for entity in (each for each in OWNER.children if each.spec.usual or each in described):
        try:
            there += [(entity, key) for key in _child_keys(run, side, entity, contact)]
        except ConnectorError as error:
            if entity in run.mapping:
                raise
            unread[entity] = error.what
    return Hanging(there, unread)


def _child_keys(run: Run, side: Side, entity: Entity, contact: str) -> Iterator[str]:
    if entity not in run.described[side].fields:
        raise ConnectorError(f"the pair file does not say where {side.label} keeps them")
    shape = run.connectors[side].shape(entity)
    for part in run.connectors[side].extract(entity, Scope(parents=(contact,))):
        if isinstance(part, Page):
            yield from _keys(part, shape)
        elif not part.complete:
            raise ConnectorError(
                (
                    f"the {entity.plural} of contact {contact} in {side.label} could not be read: "
                    f"{part.why_incomplete}"
                ),
                remedy="run the undo again when the side answers",
            )


def _keys(page: Page, shape: Shape) -> Iterator[str]:
    for text in page.lines.splitlines():
        members = json.loads(text)
        if str(_first(members, shape.deleted) or "").lower() in ("", "false", "0"):
            yield str(_first(members, shape.key))


def _first(members: Any, paths: Sequence[JsonPath]) -> Any:
    for path in paths:
        value = _at(members, path)
        if value is not None:
            return value
    return None


def _at(value: Any, path: JsonPath) -> Any:
    for step in path:
        if not isinstance(value, dict) or not isinstance(step, str):
            return None
        value = value.get(step)
    return value


def twin(run: Run, entity: Entity, side: Side, cells: Cells, since: str) -> tuple[str, str] | None:
    """Who has the identity of these cells now: by which fields, and the key."""
    twins = Twins(run.mapping[entity], run.ledger, since, run.desk.created.has)
    return twins.find(run.connectors[side], side, cells)


@dataclass
class _Graves:
    """The archives of the run and of earlier ones, opened when they are asked.

    What hung on contacts that were deleted.
    """

    run: Run
    of: str
    stack: ExitStack
    opened: dict[str, Archived | None] = field(default_factory=dict)

    def dig(self, side: Side, entity: Entity, contact: str) -> list[Buried] | str:
        """The archived tasks or notes of a contact, or why there are none.

        They are as the newest run up to the one in question read them.
        """
        looked_into, gone = 0, ""
        for name, state in self._names():
            archived = self._open(name)
            if archived is None:
                if state in _WITH_ARCHIVE:
                    gone = gone or name
                continue
            dug = archived.buried(self.run.mapping, side, entity, contact)
            if dug is not None:
                return dug
            looked_into += 1
            if looked_into == _FURTHER_BACK:
                return f"are in none of the {looked_into} archives up to that of run {self.of}"
        if gone:
            return f"are in no archive that is left: that of run {gone} is gone"
        return NEVER_READ

    def _names(self) -> Iterator[tuple[str, str]]:
        """The run in question and all earlier ones with their states, newest first."""
        table = schema.run
        mine = (
            self.run.ledger.owns(table),
            table.c.started_at <= began(self.run, self.of),
        )
        newest_first = (table.c.started_at.desc(), table.c.run_id.desc())
        query = sa.select(table.c.run_id, table.c.state).where(*mine).order_by(*newest_first)
        with self.run.ledger.engine.connect() as connection:
            rows = [(str(name), str(state)) for name, state in connection.execute(query)]
        # Runs that began in the same second as the one in question stand before it.
        return dropwhile(lambda row: row[0] != self.of, rows)

    def _open(self, name: str) -> Archived | None:
        if name not in self.opened:
            folder = trusted(self.run.pair, self.run.ledger, self.run.folder.parent / checked(name))
            self.opened[name] = self._archive_in(folder)
        return self.opened[name]

    def _archive_in(self, folder: Path) -> Archived | None:
        if (folder / MANIFEST).exists():
            return self.stack.enter_context(Archived(folder))
        mapping = _mapping_then(self.run, folder)
        if mapping is None or not (folder / "stage.duckdb").exists():
            return None
        return self.stack.enter_context(Archived(folder, mapping=mapping))


def _mapping_then(run: Run, folder: Path) -> Mapping | None:
    """The mapping of a run that was killed before it wrote its archive.

    It is known where it is still the pair's.
    """
    try:
        same = planfile.read(folder / run.plan_path.name).config_digest == run.pair.config_digest
    except StateError:
        return None
    return run.mapping if same else None
