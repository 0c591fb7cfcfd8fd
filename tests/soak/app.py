"""The application of the soak: five tables in a database, and the people who type into them by its own program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from flows.rehearse.clock import Moving as Clock
from flows.rehearse.rules import Row
from tests.soak.values import FIELDS, words

_TABLES = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    stamp = sa.Column("updated_at", sa.DateTime)
    return sa.Table(name, _TABLES, sa.Column("id", sa.Integer, primary_key=True), stamp, *columns)


def _owner() -> sa.Column[Any]:
    return sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False)


_TEXTS = (
    "ref",
    "first_name",
    "last_name",
    "email",
    "phone",
    "company",
    "street",
    "city",
    "state",
    "postal_code",
)
FIRMS = _table(
    "firms", sa.Column("name", sa.String(200), nullable=False), sa.Column("city", sa.Text)
)
PEOPLE = _table(
    "people",
    *(sa.Column(name, sa.String(250)) for name in (*_TEXTS, "source", "remark")),
    sa.Column("kind", sa.String(20), server_default="person"),
    sa.Column("birth_date", sa.Date),
    sa.Column("renewal", sa.Date),
    sa.Column("score", sa.Numeric(12, 2)),
    sa.Column("firm_id", sa.ForeignKey("firms.id", ondelete="SET NULL")),
    sa.Column("no_sms", sa.Boolean),
    sa.Column("vip", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("languages", sa.JSON(none_as_null=True)),
    sa.Column("tags", sa.JSON(none_as_null=True)),
)
TODOS = _table(
    "todos",
    _owner(),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("details", sa.Text),
    sa.Column("due_at", sa.DateTime, nullable=False),
    sa.Column("status", sa.String(10), nullable=False, server_default="open"),
)
REMARKS = _table("remarks", _owner(), sa.Column("body", sa.Text, nullable=False))
DEALS = _table(
    "deals",
    _owner(),
    *(sa.Column(name, sa.String(80), nullable=False) for name in ("title", "pipeline", "stage")),
    sa.Column("status", sa.String(10), nullable=False, server_default="open"),
    sa.Column("amount", sa.Integer),
)
TABLES = {
    "company": FIRMS,
    "contact": PEOPLE,
    "task": TODOS,
    "note": REMARKS,
    "opportunity": DEALS,
}
"""Those that others refer to come first."""

Backup = dict[str, list[dict[str, Any]]]


@dataclass
class App:
    """The database, by its URL. Everything a person does stamps `updated_at`, unless it is done silently."""

    url: str
    clock: Clock
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        url = self.url.replace("postgresql://", "postgresql+psycopg://")
        self.engine = sa.create_engine(url, poolclass=sa.StaticPool if self.lite else sa.QueuePool)
        if self.lite:
            self.engine.dispose()
            self.engine = sa.create_engine(url, poolclass=sa.NullPool)
            sa.event.listen(self.engine, "connect", _foreign_keys)
        _TABLES.drop_all(self.engine)
        _TABLES.create_all(self.engine)

    @property
    def lite(self) -> bool:
        return self.url.startswith("sqlite")

    # reading

    def rows(self) -> dict[str, list[Row]]:
        """Everything that is there, by entity; whose a task is is the person's key."""
        with self.engine.connect() as connection:
            return {entity: list(self._read(connection, entity)) for entity in TABLES}

    def _read(self, connection: sa.Connection, entity: str) -> Iterator[Row]:
        table = TABLES[entity]
        query = sa.select(table)
        if entity == "contact":
            query = query.where(table.c.kind == "person")
        for row in connection.execute(query).mappings():
            yield _row(entity, row)

    def others(self) -> list[tuple[Any, ...]]:
        """The rows of the people's table that are no people."""
        query = sa.select(PEOPLE).where(PEOPLE.c.kind != "person").order_by(PEOPLE.c.id)
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    # what people do

    def add(self, entity: str, *, key: int | None = None, **columns: Any) -> str:
        values = {**columns, "updated_at": self.clock.moment()} | (
            {} if key is None else {"id": key}
        )
        with self.engine.begin() as connection:
            made = connection.execute(
                sa.insert(TABLES[entity]).values(**values)
            ).inserted_primary_key
        return str(made[0] if made else "")

    def add_all(self, entity: str, rows: list[dict[str, Any]]) -> None:
        stamped = [{**row, "updated_at": self.clock.moment()} for row in rows]
        with self.engine.begin() as connection:
            for row in stamped:
                connection.execute(sa.insert(TABLES[entity]).values(**row))

    def edit(self, entity: str, key: str, *, silently: bool = False, **columns: Any) -> None:
        table = TABLES[entity]
        stamp = {} if silently else {"updated_at": self.clock.moment()}
        with self._hand() as connection:
            connection.execute(
                sa.update(table).where(table.c.id == int(key)).values(**columns, **stamp)
            )

    def delete(self, entity: str, key: str) -> None:
        table = TABLES[entity]
        with self._hand() as connection:
            connection.execute(sa.delete(table).where(table.c.id == int(key)))

    def value(self, entity: str, key: str, column: str) -> Any:
        table = TABLES[entity]
        with self.engine.connect() as connection:
            return connection.execute(
                sa.select(table.c[column]).where(table.c.id == int(key))
            ).scalar()

    def _hand(self) -> Any:
        return self.engine.begin()

    # backups

    def backup(self) -> Backup:
        with self.engine.connect() as connection:
            return {
                entity: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for entity, table in TABLES.items()
            }

    def restore(self, kept: Backup) -> None:
        """Put every row back as it was, keys and counters with it, as a database's own tools do."""
        with self.engine.begin() as connection:
            for table in reversed(TABLES.values()):
                connection.execute(sa.delete(table))
            for entity, table in TABLES.items():
                if kept[entity]:
                    connection.execute(sa.insert(table), kept[entity])
                if not self.lite:
                    top = max((row["id"] for row in kept[entity]), default=1)
                    connection.exec_driver_sql(f"SELECT setval('{table.name}_id_seq', {top})")

    def close(self) -> None:
        self.engine.dispose()


def _foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _row(entity: str, row: Any) -> Row:
    cells = {one.name: one.read_app(row[one.column]) for one in FIELDS[entity] if not one.items}
    if entity == "contact":
        cells |= dict.fromkeys((f"tags:{one}" for one in words(row["tags"])), "on")
        cells |= dict.fromkeys((f"languages:{one}" for one in words(row["languages"])), "on")
        return Row(str(row["id"]), None, cells)
    if entity == "task":
        cells["status"] = "yes" if row["status"] == "done" else "no"
    return Row(str(row["id"]), None if entity == "company" else str(row["person_id"]), cells)


def listed(raw: Any) -> list[str]:
    """What a JSON column of words holds."""
    return list(json.loads(raw) if isinstance(raw, str) else raw or ())
