"""Copies the tables that a pair file names into an empty database of the same kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connectors.sql.engine import begin_snapshot, open_engine
from connectors.sql.settings import SqlSettings
from flows.rehearse.tables import ROWS, foreign_keys, names_of, single, unique_columns
from reconcile.entities import OWNER, RECORDS
from reconcile.errors import ConfigError, Problem

Rows = dict[str, list[dict[str, Any]]]
"""What the tables hold, by name."""


@dataclass(frozen=True, slots=True)
class Server:
    """The tables of the copy, in a database of their own."""

    engine: sa.Engine
    tables: Mapping[str, sa.Table]
    """By the name that the pair file gives each, its dependents after it."""

    def keep(self, _name: str) -> Rows:
        """What they hold now."""
        with self.engine.connect() as connection:
            return {
                name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for name, table in self.tables.items()
            }

    def put_back(self, kept: Rows) -> None:
        """Hold that again, keys and counters with it, as a database's own tools do."""
        with self.engine.begin() as connection:
            for table in reversed(list(self.tables.values())):
                connection.execute(sa.delete(table))
            for name, table in self.tables.items():
                _insert(connection, table, kept[name])

    def keep_only(self, app: Mapping[str, Any], keys: Collection[str]) -> None:
        """Take out all contacts but those of these keys, and what hangs on them."""
        owner = app[OWNER.value]
        key = single(owner.get("key", "id"))
        if key is None:
            return
        with self.engine.begin() as connection:
            for entity in reversed(RECORDS):
                table = app.get(entity.value)
                parent = single(table.get("parent")) if table else None
                if table is not None and entity.parent is OWNER and parent and "." not in parent:
                    _delete_others(
                        connection,
                        self.tables[table["table"]].c[parent],
                        keys,
                    )
            _delete_others(
                connection,
                self.tables[owner["table"]].c[key],
                keys,
            )

    def drop(self) -> None:
        """Leave the database as it was found."""
        next(iter(self.tables.values())).metadata.drop_all(self.engine)
        self.engine.dispose()


def copy_into(url: str, app: Mapping[str, Any], into: str) -> Server:
    """Copy every table that `app` names, or a condition of it, to the database at `into`.

    Types, keys, defaults and constraints are the same; triggers are not copied. Nothing is written
    where `url` leads, and all is read at one moment. Raises ConfigError where the two databases are
    not of one kind, or a table of that name is there already.
    """
    source, target = (open_engine(SqlSettings(one, {})) for one in (url, into))
    try:
        _refuse_another_kind(source, target)
        originals = _originals(source, app)
        copies = sa.MetaData()
        tables = {name: _twin(table, copies) for name, table in originals.items()}
        foreign_keys({originals[name]: table for name, table in tables.items()})
        _refuse_taken(target, copies)
        if target.dialect.name in ("mysql", "mariadb"):
            _as_said(
                source,
                target,
                list(originals.values()),
            )
        else:
            _make(source, target, copies)
        ordered = {name: tables[name] for name in sorted(tables, key=_order(copies, tables))}
        server = Server(target, ordered)
        _fill(source, originals, server)
    except BaseException:
        target.dispose()
        raise
    else:
        return server
    finally:
        source.dispose()


def _refused(what: str, remedy: str) -> ConfigError:
    return ConfigError([Problem("--into", what, remedy)])


def _order(copies: sa.MetaData, tables: Mapping[str, sa.Table]) -> Any:
    places = {table: place for place, table in enumerate(copies.sorted_tables)}
    return lambda name: places[tables[name]]


def _originals(source: sa.Engine, app: Mapping[str, Any]) -> dict[str, sa.Table]:
    reflected = sa.MetaData()
    names = {*names_of(app), *_mentioned(source, app)}
    originals = {}
    for name in sorted(names):
        schema, _, table = name.rpartition(".")
        originals[name] = sa.Table(
            table, reflected, schema=schema or None, autoload_with=source, resolve_fks=False
        )
    return originals


def _mentioned(source: sa.Engine, app: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a condition in SQL names: it is the user's own, and reads them."""
    conditions = " ".join(_conditions(app))
    words = set(re.findall(r"\w+", conditions))
    inspector = sa.inspect(source)
    for schema in {name.rpartition(".")[0] for name in names_of(app)}:
        for table in inspector.get_table_names(schema=schema or None):
            if table in words:
                yield f"{schema}.{table}" if schema else table


def _conditions(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    for name, member in value.items():
        if name == "where" and isinstance(member, str):
            yield member
        yield from _conditions(member)


def _twin(original: sa.Table, copies: sa.MetaData) -> sa.Table:
    columns = [_column(column) for column in original.columns]
    unique = [sa.UniqueConstraint(*names) for names in unique_columns(original)]
    return sa.Table(
        original.name,
        copies,
        *columns,
        *unique,
        schema=original.schema,
    )


def _column(column: sa.Column[Any]) -> sa.Column[Any]:
    said = column.server_default
    counted = "nextval(" in str(
        getattr(
            getattr(said, "arg", ""),
            "text",
            "",
        )
    )
    more: list[Any] = []
    if column.identity is not None:
        more.append(sa.Identity(always=column.identity.always))
    if column.computed is not None:
        more.append(sa.Computed(column.computed.sqltext, persisted=column.computed.persisted))
    default = said.arg if isinstance(said, sa.DefaultClause) and not counted else None
    return sa.Column(
        column.name,
        column.type,
        *more,
        primary_key=column.primary_key,
        nullable=column.nullable,
        server_default=default if isinstance(default, str | sa.TextClause) else None,
        autoincrement=True if counted else column.autoincrement,
    )


def _refuse_another_kind(source: sa.Engine, target: sa.Engine) -> None:
    if source.dialect.name != target.dialect.name:
        what = f"the app is in {source.dialect.name}, and --into leads to {target.dialect.name}"
        raise _refused(what, "give an empty database of the same kind")


def _refuse_taken(target: sa.Engine, copies: sa.MetaData) -> None:
    inspector = sa.inspect(target)
    for table in copies.tables.values():
        if inspector.has_table(table.name, schema=table.schema):
            what = f"there is a table {table.fullname} already"
            raise _refused(what, "give an empty database")


def _make(source: sa.Engine, target: sa.Engine, copies: sa.MetaData) -> None:
    """Make the tables, with the schemas and the extensions that they need."""
    schemas = {table.schema for table in copies.tables.values() if table.schema}
    with source.connect() as connection:
        extensions = list(connection.exec_driver_sql("SELECT extname FROM pg_extension").scalars())
    with target.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for extension in extensions:
            connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {quote(extension)}")
        for schema in schemas - set(sa.inspect(connection).get_schema_names()):
            connection.execute(sa.schema.CreateSchema(schema))
    copies.create_all(target)


_REFERS = re.compile(r",?\n\s+CONSTRAINT [^\n]* FOREIGN KEY [^\n]* REFERENCES `([^`]+)`[^\n,]*")


def _as_said(source: sa.Engine, target: sa.Engine, originals: list[sa.Table]) -> None:
    """Make the tables in MySQL's own words: no other have its counters and character sets."""
    names = {table.name for table in originals}
    with source.connect() as connection, target.begin() as copies:
        copies.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
        for table in originals:
            named = connection.dialect.identifier_preparer.format_table(table)
            said = connection.exec_driver_sql(f"SHOW CREATE TABLE {named}").one()[1]
            words = _REFERS.sub(
                lambda reflected: reflected[0] if reflected[1] in names else "", said
            )
            copies.exec_driver_sql(words.replace("%", "%%"))
        copies.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 1")


def _fill(source: sa.Engine, originals: Mapping[str, sa.Table], server: Server) -> None:
    connection = begin_snapshot(source)
    try:
        with server.engine.begin() as copies:
            for name, table in server.tables.items():
                streamed = connection.execution_options(yield_per=ROWS)
                rows = streamed.execute(sa.select(originals[name])).mappings()
                _insert(
                    copies,
                    table,
                    [dict(row) for row in rows],
                )
    finally:
        connection.close()


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Put rows in as they are, and let the table count on from there."""
    written = [column.name for column in table.columns if column.computed is None]
    for part in _parts(rows):
        values = [{name: row[name] for name in written} for row in part]
        connection.execute(sa.insert(table), values)
    if connection.dialect.name == "postgresql":
        for column in table.primary_key.columns:
            _count_on(connection, table, column)


def _count_on(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    if not isinstance(column.type, sa.Integer):
        return
    named = connection.dialect.identifier_preparer.format_table(table)
    sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(named, column.name)))
    top = connection.scalar(sa.select(sa.func.max(column)))
    if sequence and top:
        connection.execute(sa.select(sa.func.setval(sequence, top)))


def _delete_others(
    connection: sa.Connection,
    column: sa.Column[Any],
    keys: Collection[str],
) -> None:
    values_there = connection.scalars(sa.select(column).distinct().where(column.is_not(None)))
    others = [value for value in values_there if str(value) not in keys]
    for part in _parts(others):
        connection.execute(sa.delete(column.table).where(column.in_(part)))


def _parts(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), ROWS):
        yield values[start : start + ROWS]
