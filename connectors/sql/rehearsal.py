"""Tries a create, an update and a delete of each entity in a transaction that is taken back.

It says what the database answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from secrets import token_hex

import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from connectors.sql import refusals
from connectors.sql.changes import Change
from connectors.sql.engine import writing_connection
from connectors.sql.schema import TAGS, Layout
from connectors.sql.values import Field, Kind, UnfitError
from reconcile.entities import Entity
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Reply, Write

_TRANSACTIONAL = ("innodb", "xtradb", "rocksdb")
LEAST = "create of the least that GHL has"
"""What the try of a bare new record is called."""

_NO_WORD = "never.used.{}@example.com"


@dataclass(frozen=True, slots=True)
class Wish:
    """What of one entity is to be tried.

    The native fields that runs write, those of a bare new record, other values for an update, and
    whether it may be deleted.

    A field without a value gets one that its column takes.
    """

    fields: Mapping[str, Json]
    least: Mapping[str, Json]
    changes: Mapping[str, Json]
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """One write that was tried.

    `what` says which, `code` and `why` are empty where it went well.
    """

    entity: Entity
    what: str
    code: str = ""
    why: str = ""


def rehearse(
    engine: sa.Engine, layouts: Mapping[Entity, Layout], wishes: Mapping[Entity, Wish], now: str
) -> list[Try]:
    """What would become of each kind of write.

    Nothing stays of it, but for the numbers that a sequence has given out.
    """
    with writing_connection(engine) as connection:
        transaction = connection.begin()
        try:
            table = _not_taken_back(connection, layouts.values())
            if table:
                why = (
                    f"{table} cannot take a write back (its engine has no "
                    "transactions), so nothing was tried"
                )
                return [Try(entity, "write", "NOT_TRIED", why) for entity in wishes]
            return list(_tried(connection, layouts, wishes, now))
        finally:
            transaction.rollback()


def _not_taken_back(connection: sa.Connection, layouts: Iterable[Layout]) -> str:
    """A table in which what is tried would stay; "" where there is none.

    A trigger may write to any table of the database: with one on a table that is tried, none may
    lack transactions.
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        return ""
    tables = {table.name for layout in layouts for table in _tables(layout)}
    triggers = sa.text(
        "SELECT event_object_table FROM information_schema.triggers"
        " WHERE event_object_schema = DATABASE()"
    )
    triggered = tables & set(connection.execute(triggers).scalars())
    engines = sa.text(
        "SELECT table_name, engine FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND engine IS NOT NULL"
    )
    for name, engine in connection.execute(engines):
        if str(engine).lower() in _TRANSACTIONAL:
            continue
        if triggered or name in tables:
            return str(name)
    return ""


def _tables(layout: Layout) -> Iterator[sa.Table]:
    yield layout.table
    for joined in layout.joins.values():
        yield joined.rows.table
        if joined.link is not None:
            yield joined.link.rows.table
    if layout.tags is not None:
        yield from (rows.table for rows in (layout.tags.links, layout.tags.named) if rows)


def _tried(
    connection: sa.Connection,
    layouts: Mapping[Entity, Layout],
    wishes: Mapping[Entity, Wish],
    now: str,
) -> Iterator[Try]:
    keys: dict[Entity, str] = {}
    for entity, wish in wishes.items():
        owner = entity.parent
        parent = keys.get(owner) if owner else None
        if owner and parent is None:
            yield Try(entity, "create", "NOT_TRIED", f"no {owner} could be made to hang it on")
            continue
        stage = _Stage(connection, layouts[entity], now)
        bare = stage.create(wish.least, parent)
        yield _answer(entity, LEAST, bare)
        whole = stage.create(wish.fields, parent)
        yield _answer(entity, "create", whole)
        key = whole.key or bare.key
        if key is None:
            continue
        keys[entity] = key
        yield _answer(entity, "update", stage.update(wish.changes, key))
        # Nothing hangs on the bare one, so what refuses its delete would refuse any.
        if wish.deletes and whole.key and bare.key:
            yield _answer(entity, "delete", stage.delete(bare.key))


def _answer(entity: Entity, what: str, reply: Reply) -> Try:
    if "create" in what and reply.status is Status.DONE and reply.key is None:
        why = "the database does not say which record was made, as of a view without a trigger"
        return Try(entity, what, "NO_KEY", why)
    return Try(entity, what, reply.code, reply.detail)


@dataclass(frozen=True, slots=True)
class _Stage:
    """One entity's writes, each within a savepoint of its own."""

    connection: sa.Connection
    layout: Layout
    now: str

    def create(self, wanted: Mapping[str, Json], parent: str | None) -> Reply:
        """A new record with a value in each of these fields."""
        fields = self._values(wanted)
        return self._carried_out(
            Write("try", OpKind.CREATE, self.layout.entity, parent=parent, fields=fields)
        )

    def update(self, wanted: Mapping[str, Json], key: str) -> Reply:
        """Other values in all of them."""
        fields = self._values(wanted)
        return self._carried_out(
            Write("try", OpKind.UPDATE, self.layout.entity, key, fields=fields)
        )

    def delete(self, key: str) -> Reply:
        """The record away again, by its mark where it has one."""
        return self._carried_out(Write("try", OpKind.DELETE, self.layout.entity, key))

    def _carried_out(self, write: Write) -> Reply:
        savepoint = self.connection.begin_nested()
        try:
            reply = Change(self.connection, self.layout, write, self.now).carry_out()
        except UnfitError as error:
            savepoint.rollback()
            return Reply("try", Status.REJECTED, code="INVALID_FIELD", detail=str(error))
        except StatementError as error:
            savepoint.rollback()
            deleting = write.kind is OpKind.DELETE
            code, detail = refusals.explain(error, deleting=deleting)
            return Reply("try", Status.REJECTED, code=code, detail=detail)
        if reply.status is Status.DONE:
            savepoint.commit()
        else:
            savepoint.rollback()
        return reply

    def _values(self, wanted: Mapping[str, Json]) -> dict[str, Json]:
        fields: dict[str, Json] = {}
        for name, value in wanted.items():
            if value is not None:
                fields[name] = value
            elif name == TAGS and self.layout.tags is not None:
                fields[name] = [f"never used {token_hex(3)}"]
            elif name in self.layout.fields:
                fields[name] = self._value(name, self.layout.fields[name])
        return fields

    def _value(self, name: str, field: Field) -> Json:
        joined = self.layout.beside.get(name)
        if joined is not None and joined.find is not None and not joined.create:
            column = joined.find.column
            known = sa.select(column).where(column.is_not(None), *joined.rows.conditions()).limit(1)
            return self.connection.execute(known).scalar()
        return sample(name, field)


_SAMPLES: Mapping[Kind, Json] = {
    Kind.INTEGER: 1,
    Kind.FLOAT: 1,
    Kind.DECIMAL: 1,
    Kind.BOOL: True,
    Kind.DATE: "2000-01-31",
    Kind.INSTANT: "2030-01-31T09:00:00Z",
    Kind.LOCAL: "2030-01-31T09:00:00Z",
    Kind.TIME: "09:00:00",
    Kind.JSON: [],
    Kind.ARRAY: [],
}


def sample(name: str, field: Field) -> Json:
    """A value that the column should take, and that nobody has."""
    if field.choices:
        if field.kind is Kind.ARRAY:
            return [field.choices[0]]
        return field.choices[0]
    if field.kind in _SAMPLES:
        return _SAMPLES[field.kind]
    if field.kind is Kind.UUID:
        return f"00000000-0000-4000-8000-{token_hex(6)}"
    if field.kind is Kind.BYTES:
        return token_hex(8)
    word = f"{token_hex(2)} never used"
    if "mail" in name.lower():
        word = _NO_WORD.format(token_hex(4))
    if field.length is None:
        return word
    return word[: field.length]
