"""One write against one row.

Lock it, compare it with what was expected, change it, read it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import sqlalchemy as sa

from connectors.sql import tags as tagging
from connectors.sql.inserting import bound, filled, inserted, missing_keys
from connectors.sql.joined_rows import JoinedRows
from connectors.sql.keys import key_is, key_text, key_values
from connectors.sql.reading import (
    fetch,
    fetch_key,
    is_deleted,
    joined_tags,
    own_rows,
    record_of,
)
from connectors.sql.schema import TAGS, Layout
from connectors.sql.values import Field, Kind, UnfitError, coerce, native, same, stored_moment
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Record, Reply, Write, looked_at

_COMPARABLE = frozenset(
    {Kind.TEXT, Kind.INTEGER, Kind.BOOL, Kind.DATE, Kind.INSTANT, Kind.LOCAL, Kind.UUID}
)
"""Kinds whose equality means the same to every database.

Floats, JSON and arrays do not compare reliably.
"""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One Write, inside a transaction that is open.

    Raises UnfitError before it has touched anything.
    """

    connection: sa.Connection
    layout: Layout
    write: Write
    now: str

    def carry_out(self) -> Reply:
        """Do what the write says, or say why not."""
        match self.write.kind:
            case OpKind.CREATE:
                return self._create()
            case OpKind.UPDATE | OpKind.COMPLETE:
                return self._update()
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                return self._change_tags()
            case OpKind.DELETE | OpKind.ARCHIVE:
                return self._delete()
            case OpKind.ADOPT | OpKind.FORGET:
                return self._reply(
                    Status.REJECTED, "UNSUPPORTED", f"{self.write.kind} is not a write to a side"
                )
            case _:
                assert_never(self.write.kind)

    # What each kind does.

    def _create(self) -> Reply:
        written = self._values(self.write.fields)
        values = {name: value for name, value in written.items() if value is not None}
        values |= self._parent_values()
        beside, values = self._parted(values)
        values = {**self.layout.fixed, **values, **self._joined.pointed(beside)}
        # Columns may copy the key; a key may itself be a copy, and waits for what it copies.
        values |= self._made_up(values, unless=self.layout.on_create)
        values |= filled(self.layout.columns, self.layout.on_create, values, self.now)
        values |= self._made_up(values)
        tags = self._tags_named()
        if tags is not None and self.layout.tags and self.layout.tags.field:
            values[self.layout.tags.field.name] = tagging.stored(self.layout.tags, tags, None)
        key = self._insert({**values, **self._stamps(values, None)})
        if self.layout.joins:
            self._point_late(key, self._joined.create(self._own_row(key), beside))
        if tags:
            self._join(key, tags)
        return self._done(key)

    def _update(self) -> Reply:
        values = self._values(self.write.fields)
        tags = self._tags_named()
        row = self._locked()
        looked = self._looked_at(row)
        if looked is not None:
            return looked
        if row is None:
            return self._reply(Status.STALE, "NOT_FOUND", "the record is gone")
        moved = {
            name: value
            for name, value in values.items()
            if not self._agrees(row, name, self.write.fields[name])
        }
        retagged = tags is not None and set(tags) != set(self._tags_of(row))
        # Before it is looked whether the record moved: what is as wanted already is done.
        if not moved and not retagged:
            return self._done(self.write.key, row)
        stale = self._stale(row)
        if stale is not None:
            return stale
        if retagged and self.layout.tags and self.layout.tags.field:
            place = self.layout.tags.field
            moved[place.name] = tagging.stored(self.layout.tags, tags or [], row[place.name])
        elif retagged:
            self._join(self.write.key, tags or [])
        beside, moved = self._parted(moved)
        return self._changed(row, {**moved, **self._joined.update(row, beside)})

    def _change_tags(self) -> Reply:
        place = self.layout.tags
        if place is None:
            return self._reply(
                Status.REJECTED, "UNSUPPORTED", "no tags are declared for this table"
            )
        if self.write.kind is OpKind.ADD_TAGS:
            tagging.check(place, self.write.tags)
        row = self._locked()
        if row is None:
            return self._reply(Status.STALE, "NOT_FOUND", "the record is gone")
        before = self._tags_of(row)
        after = tagging.changed(before, self.write.kind, self.write.tags)
        if after == before:
            return self._done(self.write.key, row)
        if place.field is None:
            self._join(self.write.key, after)
            return self._changed(row, {})
        stored = tagging.stored(place, after, row[place.field.name])
        return self._changed(row, {place.field.name: stored})

    def _delete(self) -> Reply:
        marker = self.layout.deleted
        if marker is None and self.write.kind is OpKind.ARCHIVE:
            return self._reply(
                Status.REJECTED, "NO_ARCHIVE", "no soft-delete column is declared for this table"
            )
        row = self._locked()
        looked = self._looked_at(row)
        if looked is not None:
            return looked
        if row is None:
            return self._reply(Status.DONE)
        stale = self._stale(row)
        if stale is not None:
            return stale
        if marker is not None:
            self._set(row, {marker.name: self._mark(marker)})
            return self._reply(Status.DONE)
        if self.layout.tags is not None and self.layout.tags.contact is not None:
            tagging.unjoin(self.connection, self.layout.tags, row[self.layout.key[0].name])
        self._joined.remove(row)
        self.connection.execute(sa.delete(self.layout.table).where(self._is_key()))
        return self._reply(Status.DONE)

    # What they are made of.

    def _mark(self, marker: Field) -> Any:
        """What a soft-delete column of its kind holds of a deleted record: a time, or true."""
        if marker.kind in (Kind.INSTANT, Kind.LOCAL, Kind.DATE, Kind.TEXT):
            return coerce(marker, self.now)
        if marker.kind is Kind.BOOL and not marker.raw:
            return True
        return coerce(marker, 1)

    def _values(self, fields: Mapping[str, Json]) -> dict[str, Any]:
        """Column values by name.

        Raises UnfitError for a field that is not there, not writable, or takes no such value.
        """
        values = {}
        for name, value in fields.items():
            if name == TAGS and self.layout.tags is not None:
                continue
            field = self.layout.fields.get(name)
            if field is None:
                raise UnfitError(f"{name}: there is no such column")
            why = self._why_not_written(field)
            if why:
                raise UnfitError(f"{name}: {why}")
            try:
                values[name] = coerce(field, value)
            except UnfitError as error:
                raise UnfitError(f"{name}: {error}") from None
        return values

    def _why_not_written(self, field: Field) -> str:
        joined = self.layout.beside.get(field.name)
        if joined is not None:
            return joined.why_not_written(field.name)
        if field.generated:
            return "the database computes it"
        return ""

    @property
    def _joined(self) -> JoinedRows:
        return JoinedRows(self.connection, self.layout, self.now)

    def _parted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of joined tables, and those of the record's own table."""
        names = self.layout.beside
        beside = {name: value for name, value in values.items() if name in names}
        return beside, {name: value for name, value in values.items() if name not in names}

    def _own_row(self, key: str | None) -> Row:
        """A record's own row, right after it was made."""
        if key is not None:
            rows = own_rows(self.connection, self.layout, key)
            if len(rows) == 1:
                return rows[0]
        raise UnfitError(
            "the database does not say which record was made, so nothing can be joined to it"
        )

    def _tags_named(self) -> list[str] | None:
        if self.layout.tags is None or TAGS not in self.write.fields:
            return None
        tags = tagging.wanted(self.write.fields[TAGS])
        tagging.check(self.layout.tags, tags)
        return tags

    def _parent_values(self) -> dict[str, Any]:
        if not self.layout.parent or self.write.parent is None:
            return {}
        try:
            values = key_values(self.layout.parent, self.write.parent)
        except UnfitError as error:
            raise UnfitError(f"the parent's key: {error}") from None
        return {field.name: value for field, value in zip(self.layout.parent, values, strict=True)}

    def _point_late(self, key: str | None, columns: Mapping[str, Any]) -> None:
        """Point a new record to rows whose keys the database made after it."""
        if columns and key is not None:
            is_it = key_is(self.layout.key, key)
            self.connection.execute(sa.update(self.layout.table).where(is_it).values(columns))

    def _made_up(
        self, values: Mapping[str, Any], *, unless: Collection[str] = ()
    ) -> dict[str, Any]:
        """Key values that neither the write nor the database gives, `unless` they come later."""
        key = [field for field in self.layout.key if field.name not in unless]
        if self.write.key is not None:
            given = zip(self.layout.key, key_values(self.layout.key, self.write.key), strict=True)
            return {field.name: value for field, value in given if field in key}
        return missing_keys(self.connection, key, values)

    def _insert(self, values: Mapping[str, Any]) -> str | None:
        """Insert a row and give its key; None where the database does not say what it became."""
        key = inserted(self.connection, self.layout.table, values, self.layout.key)
        if key is None:
            return None
        return key_text(self.layout.key, key)

    def _locked(self) -> Row | None:
        """The row as it is now, held until the transaction ends; a soft-deleted one is gone."""
        row = fetch_key(self.connection, self.layout, self.write.key or "", lock=True)
        if row is None or is_deleted(self.layout, row):
            return None
        return row

    def _looked_at(self, row: Row | None) -> Reply | None:
        """The reply of the look that the write asks for.

        It looks at the row as it is locked, so that nothing comes in between.
        """

        def read() -> Record | None:
            return None if row is None else self._record(row)

        ready = looked_at(self.write, read)
        return ready if isinstance(ready, Reply) else None

    def _is_key(self) -> sa.ColumnElement[bool]:
        return key_is(self.layout.key, self.write.key or "")

    def _agrees(self, row: Row, name: str, wanted: Json) -> bool:
        return name in self.layout.fields and same(self.layout.fields[name], row[name], wanted)

    def _tags_of(self, row: Row) -> list[str]:
        place = self.layout.tags
        if place is None or place.field is None:
            return joined_tags(self.connection, self.layout, row)
        return tagging.parse(place, row[place.field.name])

    def _stale(self, row: Row) -> Reply | None:
        """The answer to a write whose expectation the row does not meet.

        What is as wanted already is not held against it.
        """
        if self.write.check is not None:
            # The row that is locked was looked at: it is as expected, whatever else of it changed.
            return None
        version = self.layout.version
        if version is None or self.write.version is None:
            moved = self._moved(row)
        elif str(native(version, row[version.name])) != self.write.version:
            moved = [version.name]
        else:
            return None
        if not moved:
            return None
        detail = f"changed since the plan was made: {', '.join(moved)}"
        return self._reply(Status.STALE, "STALE", detail, self._record(row))

    def _moved(self, row: Row) -> list[str]:
        """The fields that hold neither what the plan saw nor what is wanted."""
        fields = self.write.fields
        moved = []
        for name, value in self.write.expected.items():
            if name not in self.layout.fields or self._agrees(row, name, value):
                continue
            if name not in fields or not self._agrees(row, name, fields[name]):
                moved.append(name)
        return moved

    def _changed(self, row: Row, values: Mapping[str, Any]) -> Reply:
        if not self._set(row, values):
            if self.layout.joins:
                raise UnfitError("the record changed while it was being written")
            return self._reply(Status.STALE, "STALE", "changed while it was being written")
        return self._done(self.write.key)

    def _set(self, row: Row, values: Mapping[str, Any]) -> bool:
        """Update one row if it is still what was read under the lock.

        Its version is compared, or the columns about to change.
        """
        after = {**values, **self._stamps(values, row)}
        if not after:
            return True
        guards = [self._guard(name, row[name]) for name in self._guarded(values) if name in row]
        stored = {name: bound(self._column(name), value) for name, value in after.items()}
        statement = sa.update(self.layout.table).where(self._is_key(), *guards).values(stored)
        return self.connection.execute(statement).rowcount != 0

    def _guarded(self, values: Mapping[str, Any]) -> Sequence[str]:
        version = self.layout.version
        if version is not None:
            return [version.name]
        return [name for name in values if self._comparable(name)]

    def _comparable(self, name: str) -> bool:
        field = self.layout.fields.get(name)
        return field is not None and field.kind in _COMPARABLE

    def _guard(self, name: str, value: Any) -> sa.ColumnElement[bool]:
        column = self._column(name)
        if value is None:
            return column.is_(None)
        unmoved: sa.ColumnElement[bool] = column == value
        return unmoved

    def _column(self, name: str) -> sa.Column[Any]:
        return self.layout.table.columns[name]

    def _stamps(self, values: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
        """What a writer of this table is expected to set.

        The time of the change, and the next version.
        """
        stamps: dict[str, Any] = {}
        modified, version = self.layout.modified_at, self.layout.version
        if modified is not None and not modified.generated and modified.name not in values:
            new = row is None
            if not (new and modified.default):
                stamps[modified.name] = stored_moment(modified, self.now)
        if version is None or version.generated or version.name in {**values, **stamps}:
            return stamps
        if version.kind in (Kind.INSTANT, Kind.LOCAL):
            stamps[version.name] = stored_moment(version, self.now)
        elif version.kind is not Kind.INTEGER:
            return stamps
        elif row is not None:
            stamps[version.name] = (row[version.name] or 0) + 1
        elif not version.default:
            stamps[version.name] = 1
        return stamps

    def _join(self, key: str | None, tags: Sequence[str]) -> None:
        place = self.layout.tags
        if place is None or place.contact is None or key is None:
            return
        contact = key_values(self.layout.key, key)[0]
        tagging.join(self.connection, place, contact, tags, self.now)

    def _done(self, key: str | None, row: Row | None = None) -> Reply:
        """Done, with the record as the database now holds it, after triggers and defaults."""
        if row is None and key is not None:
            rows = fetch(self.connection, self.layout, key_is(self.layout.key, key))
            row = next(iter(rows), None)
        return Reply(
            self.write.op_id,
            Status.DONE,
            record=None if row is None else self._record(row),
            key=key,
        )

    def _record(self, row: Row) -> Record:
        return record_of(self.layout, row, joined_tags(self.connection, self.layout, row))

    def _reply(
        self, status: Status, code: str = "", detail: str = "", record: Record | None = None
    ) -> Reply:
        return Reply(
            self.write.op_id, status, record=record, key=self.write.key, code=code, detail=detail
        )
