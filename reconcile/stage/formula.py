"""Values that a pair file computes of others of the same record, by one SQL expression."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from reconcile.stage.quoting import literal, quoted
from reconcile.values.mapping import UNCOMPUTED, Formula

if TYPE_CHECKING:
    import duckdb

    from reconcile.values.codec import Raw

# ruff: noqa: SIM905 - words of SQL, many a line, are read more easily as one text

FUNCTIONS = frozenset(
    """
    || + - * / // % ~~ !~~ ~~* !~~*
    concat concat_ws nullif ifnull greatest least
    lower upper trim ltrim rtrim length reverse
    left right substring substr split_part replace
    contains starts_with ends_with prefix suffix position strpos
    regexp_replace regexp_extract regexp_matches regexp_full_match
    abs round floor ceil ceiling trunc
    strftime strptime try_strptime date_part year month day
    """.split()
)
"""What an expression may call: it gives the same every night, and reaches nothing but its row."""

TYPES = frozenset(
    """
    VARCHAR TEXT STRING BOOLEAN BOOL DATE TIMESTAMP
    INTEGER INT BIGINT HUGEINT DOUBLE DECIMAL NUMERIC
    """.split()
)
"""What a value may be read as: a moment with a zone would depend on where the run is."""

_OPERATORS = frozenset(
    """
    OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_NULLIF
    OPERATOR_TRY COMPARE_IN COMPARE_NOT_IN ARRAY_EXTRACT ARRAY_SLICE
    """.split()
)
_PLAIN = frozenset("CONSTANT COLUMN_REF CASE COMPARISON CONJUNCTION BETWEEN OPERATOR CAST".split())
_INSTEAD = (
    "Use columns, texts, CASE, TRY_CAST and functions of text, numbers and dates: "
    f"{' '.join(sorted(filter(str.isidentifier, FUNCTIONS)))}."
)

Node = dict[str, Any]
"""A node of an expression's tree, as DuckDB tells it."""


class FormulaError(ValueError):
    """An expression that cannot be used: what is wrong with it, and what to do."""

    def __init__(self, what: str, remedy: str = _INSTEAD) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class SqlFormula(Formula):
    """An expression that DuckDB evaluates: in bulk as part of a statement, or of one record."""

    def sql(self, columns: Sequence[str]) -> str:
        """SQL for the value, over columns of raw text; `UNCOMPUTED` where the expression fails."""
        places = dict(zip(self.names, columns, strict=True))
        tree = _parsed(self.text)
        _replace_columns(tree, places)
        (expression,) = tree["statements"][0]["node"]["select_list"]
        # A failure is told apart from a blank: what cannot be computed clears nothing.
        tried = f"TRY(struct_pack(v := CAST({_written(expression)} AS VARCHAR)))"
        return f"coalesce({tried}, struct_pack(v := {literal(UNCOMPUTED)})).v"

    def of(self, raws: Sequence[Raw]) -> Raw:
        """The value of one record."""
        return _value(self, tuple(raws))


def formula(text: str) -> SqlFormula:
    """The formula of a pair file. Raises FormulaError where it is not one expression over a row."""
    try:
        names = tuple(dict.fromkeys(_names(_only_expression(_parsed(text)))))
    except RecursionError:
        raise FormulaError("it is nested too deeply") from None
    if not names:
        raise FormulaError(
            "it names no column", 'Write constant = "…" for a value that is always the same.'
        )
    expression = SqlFormula(text, names)
    _try(expression)
    return expression


def _parsed(text: str) -> Node:
    # On lines of its own, so that a comment at its end hides nothing.
    statement = f"SELECT (\n{text}\n)"
    with _LOCK:
        row = _database().execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
    tree: Node = json.loads(row[0] if row else "{}")
    if tree.get("error"):
        raise FormulaError(f"it is no SQL expression: {tree['error_message']}")
    return tree


def _only_expression(tree: Node) -> Node:
    """The one expression of a statement that is nothing but an expression."""
    node = tree["statements"][0]["node"]
    bare = _parsed("1")["statements"][0]["node"]
    about = {name: value for name, value in node.items() if name != "select_list"}
    plain = {name: value for name, value in bare.items() if name != "select_list"}
    if about != plain or len(node["select_list"]) != 1:
        raise FormulaError("it is more than one expression over a row")
    expression: Node = node["select_list"][0]
    for each in _nodes(expression):
        _check(each)
    return expression


def _nodes(value: object) -> Iterator[Node]:
    """Each node of a tree."""
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for item in value.values():
            yield from _nodes(item)


def _check(node: Node) -> None:
    kind = node["class"]
    if kind == "FUNCTION":
        _check_function(node)
    elif kind == "OPERATOR" and node["type"] not in _OPERATORS:
        raise FormulaError(f"it may not use {node['type'].lower()}")
    elif kind == "TYPE":
        _check_type(node)
    elif kind == "SUBQUERY":
        raise FormulaError("it holds a query of its own: an expression sees its own row alone")
    elif kind not in _PLAIN:
        raise FormulaError(f"it may not use {kind.lower()}")


def _check_function(node: Node) -> None:
    name = str(node["function_name"]).lower()
    if name not in FUNCTIONS:
        raise FormulaError(f"it may not use {name}()")
    if node["distinct"] or node["filter"] or node["order_bys"]["orders"] or node["schema"]:
        raise FormulaError(f"it uses {name}() as a query would")


def _check_type(node: Node) -> None:
    name = str(node.get("type_name") or node.get("qualified_name", {}).get("path", [""])[-1])
    if name.upper() not in TYPES:
        raise FormulaError(
            f"it may not read a value as {name}", f"It may: {', '.join(sorted(TYPES))}."
        )


def _names(expression: Node) -> Iterator[str]:
    """The native names that the columns of an expression are: `address.city` is one name."""
    for node in _nodes(expression):
        if node["class"] == "COLUMN_REF":
            yield _name(node)


def _name(column: Node) -> str:
    return ".".join(column["column_names"])


def _replace_columns(value: object, places: Mapping[str, str]) -> None:
    """Put the column of its raw text in the place of each name; a blank is NULL, as SQL has it."""
    for node in list(_nodes(value)):
        if node["class"] == "COLUMN_REF":
            column = places[_name(node)]
            blank = _parsed(f"nullif({column}, '')")["statements"][0]["node"]["select_list"][0]
            node.clear()
            node.update(blank)


def _written(expression: Node) -> str:
    """An expression's tree as SQL."""
    tree = _parsed("1")
    tree["statements"][0]["node"]["select_list"] = [expression]
    with _LOCK:
        row = _database().execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchone()
    return str(row[0] if row else "").removeprefix("SELECT ")


def _try(expression: SqlFormula) -> None:
    """Raise FormulaError where types or arguments do not fit: every column is a text, or blank."""
    import duckdb

    try:
        _value(expression, (None,) * len(expression.names))
    except duckdb.Error as error:
        what = str(error).partition("\n")[0]
        remedy = "Each column is a text: write TRY_CAST(column AS DOUBLE) to calculate with it."
        raise FormulaError(f"DuckDB cannot evaluate it: {what}", remedy) from None


@lru_cache(maxsize=10_000)
def _value(expression: SqlFormula, raws: tuple[Raw, ...]) -> Raw:
    statement = _statement(expression)
    with _LOCK:
        row = _database().execute(statement, raws).fetchone()
    return None if row is None or row[0] is None else str(row[0])


@cache
def _statement(expression: SqlFormula) -> str:
    columns = [quoted(f"c{at}") for at, _ in enumerate(expression.names)]
    given = ", ".join(f"?::VARCHAR AS {column}" for column in columns)
    return f"SELECT {expression.sql(columns)} FROM (SELECT {given})"


_LOCK = Lock()
"""Records of both sides may be read at once, and the database takes one statement at a time."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """A database without a table, for the process: to open one takes longer than to evaluate."""
    from reconcile.stage.confinement import confined

    return confined()
