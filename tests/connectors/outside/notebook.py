"""A whole connector as an author outside this tree would write it: an application that keeps everything in one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconcile.errors import ConfigError, Problem
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

FIELDS = {
    Entity.CONTACT: ("name", "mail", "tags"),
    Entity.TASK: ("title", "done"),
    Entity.NOTE: ("body",),
}
EVERYTHING = Scope()


def connect(settings: Mapping[str, Any], fields: Mapping[Entity, tuple[str, ...]]) -> Notebook:
    """What the entry point names: called with the pair file's [app] table and the fields that the mapping uses."""
    return Notebook(Path(settings["file"]))


class Notebook:
    """A file {"contact": {key: row}, "task": ..., "note": ...}; a row holds its fields, "of", "rev" and "at"."""

    side = Side.APP

    def __init__(self, file: Path) -> None:
        self._file = file

    def describe(self) -> Description:
        if not self._file.is_file():
            raise ConfigError(
                [Problem("app.file", f"there is no file {self._file.name}", "correct the path")]
            )
        fields = {
            entity: {
                name: FieldInfo("tags" if name == "tags" else "text") for name in FIELDS[entity]
            }
            for entity in FIELDS
        }
        return Description(f"notebook:{self._file}", fields, modified=frozenset(FIELDS))

    def shape(self, entity: Entity) -> Shape:
        return Shape(
            key=(("key",),),
            fields={name: ((name,),) for name in FIELDS[entity]},
            parent=(("of",),) if entity is not Entity.CONTACT else (),
            version=(("rev",),),
            modified_at=(("at",),),
        )

    def extract(self, entity: Entity, scope: Scope = EVERYTHING) -> Iterator[Page | Proof]:
        partly = scope != EVERYTHING
        try:
            rows = self._rows()[entity]
        except (OSError, ValueError) as error:
            yield Proof(
                complete=False,
                why_incomplete=f"the notebook cannot be read: {error}",
                partial=partly,
            )
            return
        shown = {key: row for key, row in rows.items() if _within(key, row, scope)}
        asked = scope.keys if entity is Entity.CONTACT else scope.parents
        covers = (
            tuple(shown) if scope.since is not None and entity is Entity.CONTACT else asked or ()
        )
        lines = [json.dumps({"key": key, **row}).encode() + b"\n" for key, row in shown.items()]
        yield Page(b"".join(lines), len(lines), covers)
        yield Proof(complete=True, reported_total=None if partly else len(rows), partial=partly)

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        row = self._rows()[entity].get(key)
        return None if row is None else _record(entity, key, row)

    def look(self, write: Write) -> Sequence[Record]:
        wanted = {**write.fields, **({"of": write.parent} if write.parent else {})}
        rows = self._rows()[write.entity].items()
        return [
            _record(write.entity, key, row) for key, row in rows if wanted.items() <= row.items()
        ]

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        for write in writes:
            rows = self._rows()
            ready = looked_at(write, lambda: self.read(write.entity, write.key or ""))  # noqa: B023 - called at once
            reply = ready if isinstance(ready, Reply) else self._one(rows[write.entity], ready)
            self._file.write_text(json.dumps(rows), encoding="utf-8")
            yield reply

    def usage(self) -> Usage:
        return Usage()

    def close(self) -> None:
        return

    # How it is done.

    def _rows(self) -> dict[str, dict[str, Any]]:
        return {entity.value: {} for entity in FIELDS} | json.loads(
            self._file.read_text(encoding="utf-8") or "{}"
        )

    def _one(self, rows: dict[str, Any], write: Write) -> Reply:
        if any(
            not isinstance(write.fields[name], str | None)
            for name in {"name", "mail"} & set(write.fields)
        ):
            return Reply(
                write.op_id,
                Status.REJECTED,
                code="INVALID_FIELD",
                detail="a name or mail is no text",
            )
        if write.kind is OpKind.CREATE:
            key = str(max(map(int, rows), default=0) + 1)
            rows[key] = _stamped(
                {**dict.fromkeys(FIELDS[write.entity]), **write.fields, "of": write.parent}, 1
            )
            return Reply(write.op_id, Status.DONE, _record(write.entity, key, rows[key]), key)
        if write.kind is OpKind.DELETE:
            rows.pop(write.key, None)
            return Reply(write.op_id, Status.DONE, key=write.key)
        row = rows.get(str(write.key))
        if row is None:
            return Reply(
                write.op_id, Status.STALE, key=write.key, code="NOT_FOUND", detail="it is gone"
            )
        return self._changed(row, write)

    @staticmethod
    def _changed(row: dict[str, Any], write: Write) -> Reply:
        match write.kind:
            case OpKind.ADD_TAGS:
                known = {tag.casefold() for tag in row["tags"] or ()}
                new = {
                    "tags": [
                        *(row["tags"] or ()),
                        *(tag for tag in write.tags if tag.casefold() not in known),
                    ]
                }
            case OpKind.REMOVE_TAGS:
                named = {tag.casefold() for tag in write.tags}
                new = {"tags": [tag for tag in row["tags"] or () if tag.casefold() not in named]}
            case OpKind.UPDATE | OpKind.COMPLETE:
                new = dict(write.fields)
            case _:
                return Reply(
                    write.op_id,
                    Status.REJECTED,
                    key=write.key,
                    code="UNSUPPORTED",
                    detail="no such thing here",
                )
        if any(row[name] != value for name, value in new.items()):
            moved = [
                name
                for name, value in write.expected.items()
                if row[name] not in (value, new.get(name))
            ]
            if moved or write.version not in (None, row["rev"]):
                return Reply(
                    write.op_id,
                    Status.STALE,
                    key=write.key,
                    code="STALE",
                    detail="it moved meanwhile",
                )
            row.update(_stamped(new, int(row["rev"]) + 1))
        return Reply(
            write.op_id, Status.DONE, _record(write.entity, str(write.key), row), write.key
        )


def _stamped(fields: dict[str, Any], revision: int) -> dict[str, Any]:
    return {
        **fields,
        "rev": str(revision),
        "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def _within(key: str, row: Mapping[str, Any], scope: Scope) -> bool:
    asked = scope.keys is None or key in scope.keys
    return (
        asked
        and (scope.parents is None or row["of"] in scope.parents)
        and (scope.since or "") <= row["at"]
    )


def _record(entity: Entity, key: str, row: Mapping[str, Any]) -> Record:
    fields: dict[str, Json] = {name: row[name] for name in FIELDS[entity]}
    return Record(key, fields, row["of"], row["rev"], row["at"])
