"""What a record was at a past moment, and what a run compared before it wrote.

From the archives and the journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from flows.clock import moment
from reconcile.errors import StateError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Entity, Side, Status
from reconcile.stage.archive import MANIFEST, Archived, Kept
from reconcile.stage.quoting import literal
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.names import checked

_SITUATION = ("field", "item", "kind", "base_app", "base_ghl", "app", "ghl", "because")


def _as_it_is(folder: Path) -> Path:
    return folder


class Evidence:
    """The archives of a pair's runs, opened as they are asked; close them by `with`.

    `bring` fetches a run's folder.
    """

    def __init__(self, folder: Path, *, bring: Callable[[Path], Path] = _as_it_is) -> None:
        self.folder = folder
        self._bring = bring
        self._held = ExitStack()
        self._opened: dict[str, Archived | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def archive(self, run_id: str) -> Archived | None:
        """A run's archive, where it is still there."""
        if run_id not in self._opened:
            folder = self._bring(self.folder / checked(run_id))
            there = (folder / MANIFEST).exists()
            self._opened[run_id] = self._held.enter_context(Archived(folder)) if there else None
        return self._opened[run_id]

    def fields(self, ledger: Ledger, entity: str) -> list[str]:
        """The mapped fields of an entity, as the newest archive knows them.

        None where no archive is left.
        """
        for row in runs.runs(ledger):
            archived = self.archive(row.run_id)
            if archived is not None:
                known = archived.manifest["entities"].get(entity, {})
                return [str(field["name"]) for field in known.get("fields", ())]
        return []

    def of(self, entity: str, write: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What was compared before a write: a row for each field, or tag, that it changed."""
        archived = self.archive(write["run_id"])
        table = f"judged_{entity}"
        if archived is None or not archived.has(table):
            return []
        named = ", ".join(literal(name) for name in write["changed"]) or "NULL"
        query = (
            f"SELECT {', '.join(_SITUATION)} FROM {archived.relation(table)} WHERE link_id = ? "
            f"AND field IN ({named}) AND action = 'agree' AND (item IS NULL OR list_contains(?, "
            "item) OR field <> ? AND winner <> ?) ORDER BY field, item"
        )
        values = [write["link_id"], _items(write), TAGS, write["side"]]
        rows = archived.sql.execute(query, values).fetchall()
        return [dict(zip(_SITUATION, row, strict=True)) for row in rows]


def _items(write: Mapping[str, Any]) -> list[str]:
    """The tags that a write added or removed; none of one that wrote other fields."""
    return [tag for cell in write["changed"].get(TAGS, ()) for tag in json.loads(cell or "[]")]


def moment_of(text: str) -> str:
    """A moment as people write it, in the form in which the ledger writes it.

    A date means its end. Without a zone it is UTC. Raises StateError.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise StateError(
            f"{text!r} is not a date or a time",
            remedy="write 2026-01-31, or 2026-01-31T18:00Z",
            code="NO_DATE",
        ) from error
    if len(text) <= len("2026-01-31"):
        at = at.replace(hour=23, minute=59, second=59, microsecond=999000)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return moment(at)


def values_at(
    ledger: Ledger,
    evidence: Evidence,
    mapping: PairMapping,
    *,
    entity: Entity,
    story: Mapping[str, Any],
    at: str,
) -> dict[str, Any]:
    """What each side held of a record at a moment.

    As the last run before it read it, and as we wrote it since.

    `story` is the record's explanation. A side says `seen_at` and `seen_in`; `values` is None where
    it was not there, or where no archive of that time is left. What somebody changed after the last
    run before the moment, nobody can know.
    """
    rows = [row for row in runs.runs(ledger, limit=100_000) if row.started_at <= at]
    writes = [write for write in story["writes"] if write["at"] and write["at"] <= at]
    return {
        side.value: _side_at(
            evidence, mapping, entity, side, keys=_keys(story, side), rows=rows, writes=writes
        )
        for side in Side
    }


def _keys(story: Mapping[str, Any], side: Side) -> list[str]:
    """Every key that the record has, or had, on a side."""
    link = story["link"] or {}
    own = [write["key"] for write in story["writes"] if write["side"] == side.value]
    keys = dict.fromkeys([link.get(f"{side}_key"), *own, story["key"]])
    return [str(key) for key in keys if key]


def _side_at(
    evidence: Evidence,
    mapping: PairMapping,
    entity: Entity,
    side: Side,
    *,
    keys: Sequence[str],
    rows: Sequence[runs.RunRow],
    writes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    state: dict[str, Any] = {"key": None, "seen_in": None, "seen_at": None, "values": None}
    cells: dict[str, Cell] | None = None
    for row in rows:
        archived = evidence.archive(row.run_id)
        if archived is None:
            continue
        snapshot = archived.snapshot(entity, side)
        if snapshot is None:
            continue
        record = _archived_record(archived, entity, side, keys)
        if record is None and (snapshot.partial or not snapshot.complete):
            continue  # it may have been there, and not read
        state |= {"seen_in": row.run_id, "seen_at": snapshot.taken_at}
        if record is not None:
            state["key"] = record.key
            cells = record.cells(mapping[entity], side)
        break
    for write in _since(writes, side, state["seen_at"]):
        state["key"] = write["key"] or state["key"]
        cells = _written(cells, write)
        state |= {"written_in": write["run_id"], "written_at": write["at"]}
    if cells is not None:
        state["values"] = {name: cell for name, cell in cells.items() if cell is not None}
    return state


def _archived_record(
    archived: Archived, entity: Entity, side: Side, keys: Sequence[str]
) -> Kept | None:
    for key in keys:
        for record in archived.records(entity, side, column="key", equals=key):
            return record
    return None


def _since(
    writes: Sequence[Mapping[str, Any]], side: Side, seen_at: str | None
) -> Iterator[Mapping[str, Any]]:
    for write in writes:
        done = write["side"] == side.value and write["status"] == Status.DONE
        if done and write["at"] >= (seen_at or ""):
            yield write


def _written(cells: dict[str, Cell] | None, write: Mapping[str, Any]) -> dict[str, Cell] | None:
    if write["kind"] in ("delete", "archive"):
        return None
    before = cells or {}
    after = {name: cell for name, (_, cell) in write["changed"].items()}
    stored = write["stored"] or {}
    match write["kind"]:
        case "create":
            return {**after, **stored}
        case "add_tags":
            tags = _tags(before) | set(_items(write))
        case "remove_tags":
            tags = _tags(before) - set(_items(write))
        case _:
            # Of what was sent, a side may store another form: that is what it showed then.
            return {**before, **after, **{name: stored[name] for name in after if name in stored}}
    return {**before, TAGS: line(sorted(tags)) if tags else None}


def _tags(cells: Mapping[str, Cell]) -> set[str]:
    return set(json.loads(cells.get(TAGS) or "[]"))


def lines_at(states: Mapping[str, Any], at: str, field: str | None) -> list[str]:
    """The values at a moment in sentences."""
    lines = [f"At {at}:"]
    for side, each in states.items():
        where = Side(side).label
        if each["seen_in"] is None and "written_in" not in each:
            lines.append(f"  {where}: no archive of that time is left")
        elif each["values"] is None:
            run_id = each["seen_in"] or each["written_in"]
            lines.append(f"  {where}: it was not there (run {run_id})")
        else:
            how = []
            if each["seen_in"]:
                how.append(f"read by run {each['seen_in']}")
            if "written_in" in each:
                how.append(f"written by run {each['written_in']}")
            lines.append(f"  {where}, {each['key']} ({', then '.join(how)}):")
            shown = {name: cell for name, cell in each["values"].items() if field in (None, name)}
            lines += [f"    {name}: {cell!r}" for name, cell in shown.items()]
    return lines
