"""Databases to test on, and an application's tables in several forms, with a user's hands on them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa

from connectors.contract import Can, Rig
from connectors.memory import Ticks
from connectors.sql import SqlConnector, SqlSettings, TableSettings, TagSettings
from connectors.sql.engine import database_url
from reconcile.model import Entity
from reconcile.ports import Json

SERVERS = {
    "postgresql": (
        "GHL_RECONCILE_TEST_POSTGRES",
        "postgresql://postgres@127.0.0.1:5432/test",
        5432,
    ),
    "mariadb": ("GHL_RECONCILE_TEST_MARIADB", "mariadb://root@127.0.0.1:3306/test", 3306),
}
KeyKind = Literal["serial", "uuid", "text", "composite"]
TagForm = Literal["array", "json", "delimited", "table", "named"]


def _listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def server_url(name: str) -> str:
    """The URL of a test server; skips the test where there is none, or fails it with GHL_RECONCILE_REQUIRE_SERVERS=1."""
    variable, url, port = SERVERS[name]
    if variable in os.environ:
        return os.environ[variable]
    if not _listening(port):
        lacking = f"no {name} server: set {variable}, or start one on port {port}"
        if os.environ.get("GHL_RECONCILE_REQUIRE_SERVERS") == "1":
            pytest.fail(lacking, pytrace=False)
        pytest.skip(lacking)
    return url


def fresh_database(name: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that is dropped afterwards."""
    if name == "sqlite":
        file = folder / "app.db"
        file.touch()
        yield f"sqlite:///{file}"
        close_all()
        return
    url = database_url(server_url(name))
    database = f"ghl_test_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    quoted = server.dialect.identifier_preparer.quote_identifier(database)
    force = " WITH (FORCE)" if name == "postgresql" else ""
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
        if name == "postgresql":
            connection.exec_driver_sql(f"ALTER DATABASE {quoted} SET synchronous_commit = off")
    try:
        yield url.set(database=database).render_as_string(hide_password=False)
    finally:
        close_all()
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {quoted}{force}")


OPEN: list[SqlConnector] = []


def opened(settings: SqlSettings, **options: Any) -> SqlConnector:
    """A connector that is closed before its database is dropped."""
    OPEN.append(SqlConnector(settings, **options))
    return OPEN[-1]


def close_all() -> None:
    while OPEN:
        OPEN.pop().close()


def run(url: str, *statements: str) -> None:
    """Carry out statements as they are, without placeholders, in one transaction."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.begin() as connection, contextlib.closing(connection.connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which an application may have laid out its tables."""

    key: KeyKind = "serial"
    tags: TagForm = "json"
    version: bool = False
    soft: Literal["", "flag", "time"] = ""
    awkward: bool = False

    def __str__(self) -> str:
        parts = [
            self.key,
            self.tags,
            "version" if self.version else "",
            self.soft,
            "awkward" if self.awkward else "",
        ]
        return "-".join(part for part in parts if part)


@dataclass(slots=True)
class Application:
    """An application's database: its tables, and what its users do to them."""

    url: str
    variant: Variant
    clock: Ticks = field(default_factory=Ticks)
    engine: sa.Engine = field(init=False)
    tables: dict[Entity, sa.Table] = field(init=False, default_factory=dict)
    metadata: sa.MetaData = field(init=False, default_factory=sa.MetaData)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(database_url(self.url), poolclass=sa.NullPool)
        contacts = self._contacts()
        self.tables = {
            Entity.CONTACT: contacts,
            Entity.TASK: self._children(
                "tasks", sa.Column("title", sa.String(200)), sa.Column("done", sa.Boolean)
            ),
            Entity.NOTE: self._children("notes", sa.Column("body", sa.Text)),
        }
        if self.variant.tags in ("table", "named"):
            self._tag_tables()
        self.metadata.create_all(self.engine)

    def empty(self) -> None:
        """Forget every row, for the next test."""
        with self.engine.begin() as connection:
            for table in self.metadata.tables.values():
                connection.execute(sa.delete(table))

    @property
    def name(self) -> str:
        """The column of a contact's first name, as awkward as the variant wants it."""
        return 'the "first" näme, select' if self.variant.awkward else "first_name"

    @property
    def table_name(self) -> str:
        """The contact's table; an awkward one is a reserved word."""
        return "order" if self.variant.awkward else "contacts"

    @property
    def key_columns(self) -> tuple[str, ...]:
        return ("region", "number") if self.variant.key == "composite" else ("id",)

    def _key(self) -> list[sa.Column[Any]]:
        match self.variant.key:
            case "serial":
                return [sa.Column("id", sa.Integer, primary_key=True)]
            case "uuid":
                return [sa.Column("id", sa.Uuid, primary_key=True)]
            case "text":
                return [sa.Column("id", sa.String(40), primary_key=True)]
            case "composite":
                region = sa.Column("region", sa.String(10), primary_key=True)
                return [
                    region,
                    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
                ]

    def _contacts(self) -> sa.Table:
        kinds: dict[str, Any] = {"array": sa.ARRAY(sa.Text), "json": sa.JSON, "delimited": sa.Text}
        tags = [sa.Column("labels", kinds[self.variant.tags])] if self.variant.tags in kinds else []
        marks: dict[str, Any] = {"flag": sa.Boolean, "time": sa.DateTime}
        deleted = [sa.Column("gone", marks[self.variant.soft])] if self.variant.soft else []
        return sa.Table(
            self.table_name,
            self.metadata,
            *self._key(),
            sa.Column(self.name, sa.String(200)),
            sa.Column("email", sa.String(120), unique=True),
            sa.Column("visits", sa.Integer),
            sa.Column("consent", sa.Boolean),
            sa.Column("birthday", sa.Date),
            sa.Column("balance", sa.Numeric(12, 2)),
            sa.Column("joined", sa.DateTime),
            sa.Column("updated", sa.DateTime),
            *([sa.Column("revision", sa.Integer, nullable=False)] if self.variant.version else []),
            *tags,
            *deleted,
        )

    def _children(self, name: str, *columns: sa.Column[Any]) -> sa.Table:
        keys = self._key()
        parent = [sa.Column(f"contact_{key.name}", key.type) for key in keys]
        own = sa.Column("id", sa.Integer, primary_key=True)
        return sa.Table(
            name, self.metadata, own, *parent, *columns, sa.Column("updated", sa.DateTime)
        )

    def _tag_tables(self) -> None:
        key = self._key()[0]
        value: sa.Column[Any] = sa.Column("tag", sa.String(80), primary_key=True)
        if self.variant.tags == "named":
            value = sa.Column("tag", sa.Integer, primary_key=True, autoincrement=False)
            number = sa.Column("id", sa.Integer, primary_key=True)
            sa.Table(
                "tag_names", self.metadata, number, sa.Column("name", sa.String(80), unique=True)
            )
        sa.Table(
            "contact_tags", self.metadata, sa.Column("contact", key.type, primary_key=True), value
        )

    # What the pair file would say.

    def settings(self, **changes: Any) -> SqlSettings:
        parent = tuple(f"contact_{name}" for name in self.key_columns)
        contact = TableSettings(
            self.table_name,
            key=self.key_columns,
            modified_at="updated",
            version="revision" if self.variant.version else None,
            deleted="gone" if self.variant.soft else None,
            tags=self._tag_settings(),
        )
        entities = {
            Entity.CONTACT: contact,
            Entity.TASK: TableSettings("tasks", parent=parent, modified_at="updated"),
            Entity.NOTE: TableSettings("notes", parent=parent, modified_at="updated"),
        }
        return SqlSettings(**{"url": self.url, "entities": entities, **changes})

    def _tag_settings(self) -> TagSettings:
        match self.variant.tags:
            case "table":
                return TagSettings("table", table="contact_tags", contact="contact", tag="tag")
            case "named":
                return TagSettings(
                    "table", table="contact_tags", contact="contact", tag="tag", names="tag_names"
                )
            case form:
                return TagSettings(form, column="labels", delimiter=";")

    # What its users do.

    def now(self) -> datetime:
        return datetime.fromisoformat(self.clock()).astimezone(UTC).replace(tzinfo=None)

    def seed(self, entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        values = {
            name: python_value(self.tables[entity].c[name], value)
            for name, value in fields.items()
            if name != "tags"
        }
        values["updated"] = self.now()
        if entity is Entity.CONTACT:
            values |= self._new_key(fields) | ({"revision": 1} if self.variant.version else {})
        elif parent is not None:
            values |= {f"contact_{name}": value for name, value in self.where(parent).items()}
        tags = fields.get("tags")
        if isinstance(tags, list) and self.variant.tags not in ("table", "named"):
            values["labels"] = (
                ";".join(map(str, tags)) if self.variant.tags == "delimited" else tags
            )
        with self.engine.begin() as connection:
            inserted = connection.execute(sa.insert(self.tables[entity]).values(values))
            made: list[Any] = list(inserted.inserted_primary_key or ())
            if isinstance(tags, list) and self.variant.tags in ("table", "named"):
                self._tag(connection, made[0], [str(tag) for tag in tags])
        hexed = self.engine.dialect.name != "postgresql"
        return key_of(
            [value.hex if hexed and isinstance(value, uuid.UUID) else value for value in made]
        )

    def _tag(self, connection: sa.Connection, contact: Any, tags: list[str]) -> None:
        for tag in tags:
            value: Any = tag
            if self.variant.tags == "named":
                names = self.metadata.tables["tag_names"]
                value = connection.execute(
                    sa.select(names.c.id).where(names.c.name == tag)
                ).scalar()
                if value is None:
                    value = (
                        connection.execute(sa.insert(names).values(name=tag)).inserted_primary_key
                        or (0,)
                    )[0]
            row = {"contact": contact, "tag": value}
            connection.execute(sa.insert(self.metadata.tables["contact_tags"]).values(row))

    def _new_key(self, fields: Mapping[str, Json]) -> dict[str, Any]:
        match self.variant.key:
            case "serial":
                return {}
            case "uuid":
                return {"id": uuid.uuid4()}
            case "text":
                return {"id": f"K-\"{uuid.uuid4().hex[:8]}' é"}
            case "composite":
                return {"region": fields.get("region", "EU"), "number": fields.get("number", 0)}

    def where(self, key: str) -> dict[str, Any]:
        """The key columns and values of a key."""
        match self.variant.key:
            case "serial":
                return {"id": int(key)}
            case "uuid":
                return {"id": uuid.UUID(key)}
            case "text":
                return {"id": key}
            case "composite":
                region, number = json.loads(key)
                return {"region": region, "number": number}

    def _conditions(self, entity: Entity, key: str) -> list[sa.ColumnElement[bool]]:
        values = self.where(key) if entity is Entity.CONTACT else {"id": int(key)}
        return [self.tables[entity].c[name] == value for name, value in values.items()]

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        table = self.tables[entity]
        values: dict[str, Any] = {
            name: python_value(table.c[name], value) for name, value in fields.items()
        }
        values["updated"] = self.now()
        if entity is Entity.CONTACT and self.variant.version:
            values["revision"] = table.c.revision + 1
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(table).where(*self._conditions(entity, key)).values(values)
            )

    def remove(self, entity: Entity, key: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.delete(self.tables[entity]).where(*self._conditions(entity, key)))

    def sample(self, entity: Entity, number: int) -> dict[str, Json]:
        match entity:
            case Entity.CONTACT:
                keyed: dict[str, Json] = (
                    {"region": "EU", "number": number} if self.variant.key == "composite" else {}
                )
                return keyed | {
                    self.name: f"Ann{number}",
                    "email": f"ann{number}@example.test",
                    "visits": number,
                    "consent": number % 2 == 0,
                    "birthday": "1990-02-03",
                    "balance": "12.50",
                    "joined": "2026-01-02T03:04:05Z",
                    "tags": ["a", "b c"],
                }
            case Entity.TASK:
                return {"title": f"call {number}", "done": False}
            case _:
                return {"body": f"note {number}"}

    def rig(self, **changes: Any) -> Rig:
        return Rig(
            connector=SqlConnector(self.settings(**changes), clock=self.clock),
            sample=self.sample,
            text={Entity.CONTACT: self.name, Entity.TASK: "title", Entity.NOTE: "body"},
            seed=self.seed,
            edit=self.edit,
            remove=self.remove,
            can=self.abilities(),
            bad={Entity.CONTACT: {"visits": "not a number"}},
            volatile=frozenset({"updated", "revision"}),
            completed={"done": True},
        )

    def abilities(self) -> frozenset[Can]:
        lacking = {Can.ARCHIVE} if not self.variant.soft else set()
        return frozenset(Can) - lacking - (set() if self.variant.version else {Can.VERSIONS})


def key_of(values: list[Any]) -> str:
    """A key as the connector is expected to write it."""
    if len(values) == 1:
        return str(values[0])
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def python_value(column: sa.Column[Any], value: Json) -> Any:
    """A native value as SQLAlchemy's own types take it."""
    match column.type:
        case sa.DateTime() if isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        case sa.Date() if isinstance(value, str):
            return date.fromisoformat(value)
        case _:
            return value
