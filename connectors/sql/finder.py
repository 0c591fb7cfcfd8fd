"""Looks declared tables and columns up in one database.

It says of everything that is missing what is near it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from connectors.sql.columns import read_table
from connectors.sql.settings import SqlSettings
from connectors.sql.values import Field
from reconcile.errors import Problem


class Finder:
    """Looks declared names up in one database.

    It collects every Problem instead of stopping at the first.
    """

    def __init__(
        self,
        connection: sa.Connection,
        settings: SqlSettings,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.zone = ZoneInfo(settings.timezone)
        self.problems: list[Problem] = []
        self.inspector = sa.inspect(connection)
        self._found: dict[str, Mapping[str, Field] | None] = {}

    def report(
        self,
        where: str,
        what: str,
        remedy: str,
    ) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, what, remedy))

    def fields(
        self,
        where: str,
        table: str,
    ) -> Mapping[str, Field] | None:
        """The columns of a table or view by name.

        None, and a Problem, when there is no such table.
        """
        if table not in self._found:
            self._found[table] = self._reflect(where, table)
        return self._found[table]

    def _reflect(
        self,
        where: str,
        name: str,
    ) -> Mapping[str, Field] | None:
        for schema, bare in splits(name):
            if self._exists(bare, schema):
                return read_table(self.connection, bare, schema, self.zone)
        schema, bare = splits(name)[-1]
        existing = [*self.inspector.get_table_names(schema), *self.inspector.get_view_names(schema)]
        self.report(where, f"there is no table or view {name!r}", near(bare, existing, "tables"))
        return None

    def _exists(
        self,
        bare: str,
        schema: str | None,
    ) -> bool:
        try:
            return self.inspector.has_table(bare, schema)
        except sa.exc.DBAPIError:
            return False

    def column(
        self,
        where: str,
        table: str,
        name: str | None,
    ) -> Field | None:
        """One column; None, and a Problem, when the table has none of that name."""
        fields = self.fields(where, table)
        if fields is None or name is None:
            return None
        if name not in fields:
            self.report(
                where, f"table {table!r} has no column {name!r}", near(name, fields, "columns")
            )
        return fields.get(name)

    def columns(
        self,
        where: str,
        table: str,
        wanted: Iterable[str],
    ) -> tuple[Field, ...]:
        """Several columns, those that exist."""
        fields = (self.column(where, table, name) for name in wanted)
        return tuple(field for field in fields if field is not None)

    def unique(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The column sets that no two rows of a table may share."""
        table = next(iter((self.fields("", name) or {}).values())).column.table
        keyed = self.inspector.get_pk_constraint(table.name, table.schema)
        sets = [tuple(keyed.get("constrained_columns") or ())]
        try:
            constraints = self.inspector.get_unique_constraints(table.name, table.schema)
            indexes = self.inspector.get_indexes(table.name, table.schema)
        except (NotImplementedError, sa.exc.SQLAlchemyError):
            return tuple(columns for columns in sets if columns)
        sets += [tuple(constraint["column_names"]) for constraint in constraints]
        whole = [index for index in indexes if index["unique"] and not _partial(index)]
        sets += [tuple(str(column) for column in index["column_names"]) for index in whole]
        return tuple(dict.fromkeys(columns for columns in sets if columns))


def splits(name: str) -> list[tuple[str | None, str]]:
    """A name may contain a dot of its own, or a schema before it."""
    schema, _, bare = name.rpartition(".")
    if schema:
        return [(None, name), (schema, bare)]
    return [(None, name)]


def near(
    name: str,
    existing: Iterable[str],
    kind: str,
) -> str:
    """What is written nearly so, or all that there is."""
    known = sorted(existing)
    lower = {other.lower(): other for other in known}
    near = [
        lower[match] for match in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    ]
    if near:
        return f"did you mean {' or '.join(repr(other) for other in near)}?"
    listed = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
    if known:
        return f"the {kind} that exist are: {listed}"
    return f"there are no {kind}: is this the right database?"


def _partial(index: Any) -> bool:
    options = index.get("dialect_options", {})
    return None in index["column_names"] or any(option.endswith("_where") for option in options)
