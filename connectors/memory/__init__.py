"""The reference connector.

A side held in a dict, against which every other connector and the engine are judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from connectors.memory.vices import FIELDS, Crash, Killed, Ticks, Vices
from reconcile.entities import OWNER, RECORDS
from reconcile.errors import Unnamed
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import (
    Description,
    FieldInfo,
    Json,
    Page,
    Proof,
    Record,
    Reply,
    Scope,
    Shape,
    Usage,
    Write,
    looked_at,
)

__all__ = ["FIELDS", "Crash", "Killed", "MemoryConnector", "Ticks", "Vices"]

PAGE = 100
_EVERYTHING = Scope()
_NO_VICES = Vices()
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "bool": (bool,),
    "tags": (list,),
    "json": (object,),
}


@dataclass(frozen=True, slots=True)
class _Row:
    fields: Mapping[str, Json]
    parent: str | None
    version: int
    at: str


_Table = dict[str, list["_Row | None"]]


class MemoryConnector:
    """A side in memory that fills reconcile.ports.Connector, in the role of either side.

    `put`, `edit`, `delete` and `rows` are what its users do and see, behind the connector's back.
    `clock` gives the instant as ISO 8601 text. Keys are deterministic: "<side>-<entity>-<n>".
    `vices` may be replaced at any time.
    """

    def __init__(
        self,
        side: Side,
        *,
        identity: str = "",
        clock: Callable[[], str] | None = None,
        vices: Vices = _NO_VICES,
        fields: Mapping[Entity, Mapping[str, FieldInfo]] = FIELDS,
    ) -> None:
        self.side = side
        self.vices = vices
        self.carried_out = 0
        self._identity = identity or f"memory:{side}"
        self._clock = clock or Ticks()
        self._fields = {entity: dict(fields.get(entity, {})) for entity in RECORDS}
        self._tables: dict[Entity, _Table] = {entity: {} for entity in RECORDS}
        self._made = dict.fromkeys(RECORDS, 0)
        self._requests = 0
        self._next_parent = 0
        self._gone_at: dict[tuple[Entity, str], str] = {}

    # What users do.

    def put(
        self,
        entity: Entity,
        fields: Mapping[str, Json],
        *,
        key: str | None = None,
        parent: str | None = None,
    ) -> str:
        """Add a record as a user would, and give its key."""
        if key is None:
            self._made[entity] += 1
            key = f"{self.side}-{entity}-{self._made[entity]}"
        for name in fields:
            self._fields[entity].setdefault(name, FieldInfo())
        stored = {name: self._stored(entity, name, value) for name, value in fields.items()}
        history = self._tables[entity].setdefault(key, [])
        history.append(_Row(stored, parent, len(history) + 1, self._clock()))
        return key

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        """Change some fields of a record as a user would. Raises KeyError when it is gone."""
        row = self._now(entity, key)
        if row is None:
            raise KeyError(key)
        self.put(entity, {**row.fields, **fields}, key=key, parent=row.parent)

    def delete(self, entity: Entity, key: str) -> None:
        """Delete a record as a user would; a contact's tasks and notes go with it.

        Raises KeyError when it is gone.
        """
        if self._now(entity, key) is None:
            raise KeyError(key)
        self._tables[entity][key].append(None)
        self._gone_at[entity, key] = self._clock()
        for child in entity.children:
            for orphan in [name for name, row in self._current(child) if row.parent == key]:
                self.delete(child, orphan)

    def rows(self, entity: Entity) -> dict[str, Record]:
        """What is there now, by key."""
        return {key: self._record(entity, key, row) for key, row in self._current(entity)}

    # What the job does.

    def describe(self) -> Description:
        """What this side is; it never fails."""
        return Description(
            identity=self._identity,
            fields={entity: dict(fields) for entity, fields in self._fields.items()},
            region="US" if self.vices.e164 else None,
            lag_seconds=self.vices.lag_seconds,
            costs=dict.fromkeys(OpKind, 1.0),
            modified=frozenset(RECORDS) - self.vices.undated,
            rewrites_tags=self.vices.lowercase_tags,
            bulk=dict.fromkeys(self.vices.lacks, "the bulk read"),
        )

    def shape(self, entity: Entity) -> Shape:
        """A flat object a line: the fields by name, and _key, _parent, _version, _modified_at."""
        return Shape(
            key=(("_key",),),
            fields={name: ((name,),) for name in self._fields[entity]},
            parent=(("_parent",),),
            version=(("_version",),),
            modified_at=(("_modified_at",),),
        )

    def extract(self, entity: Entity, scope: Scope = _EVERYTHING) -> Iterator[Page | Proof]:
        """Pages of what the index shows, which trails by the lag, then the proof."""
        records = [self._record(entity, key, row) for key, row in self._indexed(entity)]
        parents = self._parents_due(entity, scope)
        partial = scope != _EVERYTHING or parents is not None
        if parents is not None:
            records = [record for record in records if record.parent in parents]
        if scope.keys is not None:
            records = [record for record in records if record.key in scope.keys]
        if scope.since is not None:
            since = scope.since
            records = [
                each for each in records if not each.modified_at or each.modified_at >= since
            ]
        records = [self._lacking(entity, record) for record in records]
        total = None if partial else len(records)
        why = self.vices.incomplete.get(entity, "")
        if why:
            records = records[: len(records) // 2]
        covered: Sequence[str] = ()
        if partial and not why:
            covered = _covered(entity, scope, parents, records)
        yield from self._pages(records, covered)
        yield Proof(complete=not why, why_incomplete=why, reported_total=total, partial=partial)

    def count(self, entity: Entity) -> int | None:
        """How many records the index shows."""
        self._requests += 1
        return sum(1 for _ in self._indexed(entity))

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now, past the lag."""
        self._requests += 1
        if self.vices.unnamed(entity, key):
            raise Unnamed("GET was answered 400: not found")
        error = self.vices.unreadable(entity, key)
        if error is not None:
            raise error
        row = self._now(entity, key)
        if row is None:
            return None
        return self._record(entity, key, row)

    def look(self, write: Write) -> Sequence[Record]:
        """Records with the same email, or that hold all that the write holds.

        The latter are under the same parent.
        """
        self._requests += 1
        error = self.vices.unreadable(write.entity, write.parent or "")
        if error is not None:
            raise error
        wanted = {
            name: self._stored(write.entity, name, value)
            for name, value in write.fields.items()
            if name not in self.vices.drops
        }
        records = []
        for key, row in self._current(write.entity):
            same_email = wanted.get("email") and row.fields.get("email") == wanted["email"]
            same_values = all(_same(row.fields.get(name), wanted[name]) for name in wanted)
            if same_email or (row.parent == write.parent and same_values):
                records.append(self._record(write.entity, key, row))
        return records

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Carry out each write in turn, with whatever vices are on."""
        for write in writes:
            self._requests += 1
            read = partial(self.read, write.entity, write.key or "", write.parent)
            ready = looked_at(write, read)
            if isinstance(ready, Reply):
                yield ready
            else:
                yield self._refused(ready) or self._carried_out(ready)

    def usage(self) -> Usage:
        """Requests so far: one a page, a read and a write."""
        return Usage(requests=self._requests)

    def close(self) -> None:
        """Nothing is held open."""

    # How it is done.

    def _now(self, entity: Entity, key: str) -> _Row | None:
        history = self._tables[entity].get(key)
        if not history:
            return None
        return history[-1]

    def _current(self, entity: Entity) -> Iterator[tuple[str, _Row]]:
        for key, history in list(self._tables[entity].items()):
            if history[-1] is not None:
                yield key, history[-1]

    def _indexed(self, entity: Entity) -> Iterator[tuple[str, _Row]]:
        if not self.vices.lag_seconds:
            yield from self._current(entity)
            return
        lag = timedelta(seconds=self.vices.lag_seconds)
        shown_until = datetime.fromisoformat(self._clock()) - lag
        for key, history in list(self._tables[entity].items()):
            row = history[-1]
            if self.vices.lags(entity, key):
                row = self._as_of(entity, key, shown_until)
            if row is not None:
                yield key, row

    def _as_of(self, entity: Entity, key: str, instant: datetime) -> _Row | None:
        history = self._tables[entity][key]
        if history[-1] is None and datetime.fromisoformat(self._gone_at[entity, key]) <= instant:
            return None
        known = [
            row for row in history if row is not None and datetime.fromisoformat(row.at) <= instant
        ]
        if not known:
            return None
        return known[-1]

    def _record(self, entity: Entity, key: str, row: _Row) -> Record:
        return Record(
            key=key,
            fields=dict(row.fields),
            parent=row.parent,
            version=None if self.vices.unversioned else str(row.version),
            modified_at=None if entity in self.vices.undated else row.at,
        )

    def _lacking(self, entity: Entity, record: Record) -> Record:
        """The record as a bulk read carries it."""
        lacks = self.vices.lacks.get(entity, frozenset())
        if not lacks or not self.vices.lacking(entity, record.key):
            return record
        return replace(
            record,
            fields={name: value for name, value in record.fields.items() if name not in lacks},
        )

    def _parents_due(self, entity: Entity, scope: Scope) -> Sequence[str] | None:
        """The contacts to which this extraction is limited.

        Those asked for, or the next few when notes are rationed.
        """
        if scope.parents is not None or not entity.spec.swept or self.vices.notes_per_run is None:
            return scope.parents
        if scope != _EVERYTHING:
            return None
        contacts = sorted(key for key, _ in self._current(OWNER))
        start = self._next_parent
        self._next_parent += self.vices.notes_per_run
        due = range(start, min(start + len(contacts), self._next_parent))
        return [contacts[number % len(contacts)] for number in due]

    def _pages(self, records: Sequence[Record], covered: Sequence[str]) -> Iterator[Page]:
        if covered and not records:  # that a contact has nothing is said by a page, too
            self._requests += 1
            yield Page(b"", 0, tuple(covered))
        for start in range(0, len(records), PAGE):
            self._requests += 1
            rows = records[start : start + PAGE]
            lines = "".join(map(_line, rows)).encode()
            yield Page(lines, len(rows), tuple(covered))
            covered = ()

    def _stored(self, entity: Entity, name: str, value: Json) -> Json:
        kind = self._fields[entity].get(name, FieldInfo()).type
        if self.vices.e164 and kind == "phone" and isinstance(value, str) and value:
            digits = re.sub(r"\D", "", value)
            if value.startswith("+") or len(digits) > 10:
                return f"+{digits}"
            return f"+1{digits}"
        if kind == "tags" and isinstance(value, list):
            return _tag_set((str(tag) for tag in value), lower=self.vices.lowercase_tags)
        return value

    def _refused(self, write: Write) -> Reply | None:
        code = self.vices.rejects(write)
        if code:
            return _reply(
                write, Status.REJECTED, code=code, detail="refused by a rule of this side"
            )
        for name, value in write.fields.items():
            problem = _problem(self._fields[write.entity].get(name), value)
            if problem:
                detail = f"{name}: {problem}"
                return _reply(write, Status.REJECTED, code="INVALID_FIELD", detail=detail)
        if write.kind is OpKind.CREATE:
            return self._duplicate(write)
        row = self._now(write.entity, write.key or "")
        if row is not None:
            return self._in_the_way(write, row)
        if write.kind is OpKind.DELETE:
            return _reply(write, Status.DONE)
        return _reply(write, Status.STALE, code="NOT_FOUND", detail="the record is gone")

    def _in_the_way(self, write: Write, row: _Row) -> Reply | None:
        moved = self._moved(write, row)
        if moved is None and self.vices.strict:
            return self._duplicate(write)
        return moved

    def _moved(self, write: Write, row: _Row) -> Reply | None:
        if write.fields and all(
            _same(row.fields.get(name), value) for name, value in write.fields.items()
        ):
            return None
        version_moved = write.version is not None and write.version != str(row.version)
        moved = [
            name for name, value in write.expected.items() if not _same(row.fields.get(name), value)
        ]
        if not moved and not version_moved:
            return None
        detail = f"changed since the plan was made: {', '.join(moved) or 'its version'}"
        record = self._record(write.entity, write.key or "", row)
        return replace(_reply(write, Status.STALE, code="STALE", detail=detail), record=record)

    def _duplicate(self, write: Write) -> Reply | None:
        if not write.entity.spec.person:
            return None
        for name in self.vices.unique:
            wanted = self._stored(write.entity, name, write.fields.get(name))
            if not wanted:
                continue
            folded = str(wanted).casefold()
            for key, row in self._current(write.entity):
                if key != write.key and str(row.fields.get(name)).casefold() == folded:
                    detail = f"another contact has this {name}"
                    reply = _reply(write, Status.REJECTED, code="DUPLICATE", detail=detail)
                    return replace(reply, key=key)
        return None

    def _carried_out(self, write: Write) -> Reply:
        crash, doubt = self.vices.crash, self.vices.uncertain(write)
        if crash is not None and crash.at == self.carried_out + 1 and crash.when == "before":
            raise crash.error
        if doubt == "lost":
            return _reply(write, Status.UNCERTAIN, code="UNCERTAIN", detail="no answer came")
        self.carried_out += 1
        key = self._take_effect(write)
        if crash is not None and crash.at == self.carried_out:
            raise crash.error
        if doubt is not None:
            return _reply(write, Status.UNCERTAIN, code="UNCERTAIN", detail="no answer came")
        return replace(_reply(write, Status.DONE), key=key, record=self.rows(write.entity).get(key))

    def _take_effect(self, write: Write) -> str:
        fields = {
            name: value for name, value in write.fields.items() if name not in self.vices.drops
        }
        key = write.key or ""
        match write.kind:
            case OpKind.CREATE:
                return self.put(
                    write.entity, {**self.vices.gives, **fields}, key=write.key, parent=write.parent
                )
            case OpKind.UPDATE | OpKind.COMPLETE:
                self.edit(write.entity, key, fields)
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                self._change_tags(write, key)
            case OpKind.DELETE | OpKind.ARCHIVE:
                self.delete(write.entity, key)
            case OpKind.ADOPT | OpKind.FORGET:
                raise ValueError(f"{write.kind} is an operation on the ledger alone")
            case _:
                assert_never(write.kind)
        return key

    def _change_tags(self, write: Write, key: str) -> None:
        row = self._now(write.entity, key)
        tags: list[str] = []
        match row and row.fields.get("tags"):
            case list(stored):
                tags = [str(tag) for tag in stored]
        named = {_fold(tag): tag for tag in write.tags}
        if write.kind is OpKind.REMOVE_TAGS:
            after = [tag for tag in tags if _fold(tag) not in named]
        else:
            known = {_fold(tag) for tag in tags}
            after = [*tags, *(tag for folded, tag in named.items() if folded not in known)]
        self.edit(write.entity, key, {"tags": list(after)})


def _reply(write: Write, status: Status, *, code: str = "", detail: str = "") -> Reply:
    return Reply(write.op_id, status, key=write.key, code=code, detail=detail)


def _covered(
    entity: Entity, scope: Scope, parents: Sequence[str] | None, records: Sequence[Record]
) -> Sequence[str]:
    """What was read wholly.

    Contacts by their own key, tasks and notes only by all that their contact has.
    """
    if entity.parent:
        if parents is not None and scope.since is None and scope.keys is None:
            return parents
        return ()
    if scope.keys is not None and scope.since is None:
        return scope.keys
    return [record.key for record in records]


def _line(record: Record) -> str:
    members = {
        **record.fields,
        "_key": record.key,
        "_parent": record.parent,
        "_version": record.version,
        "_modified_at": record.modified_at,
    }
    return json.dumps(members, ensure_ascii=False) + "\n"


def _fold(tag: str) -> str:
    return " ".join(tag.split()).casefold()


def _tag_set(tags: Iterable[str], *, lower: bool) -> list[Json]:
    if lower:
        tags = [tag.strip().casefold() for tag in tags]
    return list(dict.fromkeys(tags))


def _same(current: Json, wanted: Json) -> bool:
    blank: tuple[Json, ...] = (None, "", [])
    return current == wanted or (current in blank and wanted in blank)


def _problem(info: FieldInfo | None, value: Json) -> str | None:
    """Why a value cannot be stored in a field, without the value; None when it can."""
    if info is None:
        return "there is no such field"
    if value is None:
        return None
    expected = _PYTHON_TYPES.get(info.type, (str,))
    if not isinstance(value, expected) or (info.type == "integer" and isinstance(value, bool)):
        return f"expected {info.type}, found {type(value).__name__}"
    if info.type == "choice" and value not in ("", *info.choices):
        return f"expected one of {', '.join(info.choices)}"
    if info.type == "date" and value and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
        return "expected a date as YYYY-MM-DD"
    return None
