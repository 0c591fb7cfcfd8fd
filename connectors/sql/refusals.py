"""Says why a database refused a statement.

A stable code, and the constraint or column by name, never a value.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError

from reconcile.errors import ConnectorError, Forbidden, Transient

_UNIQUE = ("23505", "1062", "1586", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
_CONSTRAINT = ("1048", "1364", "1423", "1451", "1452", "3819", "4025")
_MISSING = ("23502", "1048", "1364", "1423", "SQLITE_CONSTRAINT_NOTNULL")
# PostgreSQL's of a view, of a computed column of one, of a materialised one; then MariaDB's.
_VIEW = ("55000", "0A000", "42809", "1288", "1348", "1393", "1394", "1395", "1471")
_REFERENCE = ("23503", "1451", "1452", "SQLITE_CONSTRAINT_FOREIGNKEY")
_FORBIDDEN = ("42501", "1142", "1143", "1044")
_READ_ONLY = ("25006", "1290", "1792", "1836", "SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY")
_LOCKED = ("55P03", "1205", "3572", "SQLITE_BUSY", "SQLITE_LOCKED")
_CONFLICT = ("40001", "40P01", "1213", "1020", "SQLITE_BUSY_SNAPSHOT")
_TIMED_OUT = ("57014", "1969", "3024", "SQLITE_INTERRUPT")
_TROUBLED = (
    *("1016", "1021", "1026", "1030", "1034", "1035", "1037", "1038", "1041"),
    *("1114", "1194", "1195", "1206", "1297"),
)
"""MySQL and MariaDB: no room, no memory, a file or table that cannot be read or written."""
_TROUBLED_CLASSES = ("53", "57", "58", "XX")
"""PostgreSQL's classes of the same: resources, an operator, the system, a fault of its own."""
_LOST = ("57P01", "57P02", "57P03", "53300", "1040", "1053")

_NAMES = (
    re.compile(r"constraint failed: ([\w., \"'`-]+?)$", re.IGNORECASE),
    re.compile(r"(?:constraint|CONSTRAINT) [\"'`]([^\"'`]+)[\"'`]"),
    re.compile(r"for key [\"'`]([^\"'`]+)[\"'`]"),
    re.compile(r"[Cc]olumn [\"'`]([^\"'`]+)[\"'`]"),
    re.compile(r"[Ff]ield [\"'`]([^\"'`]+)[\"'`] doesn't have a default"),
)


def state(error: BaseException) -> str:
    """The database's own code: an SQLSTATE, an error number, or the name that SQLite gives it."""
    orig: Any = getattr(error, "orig", error)
    first = orig.args[0] if getattr(orig, "args", ()) else ""
    if isinstance(first, int):
        return str(first)
    for name in ("sqlite_errorname", "sqlstate", "pgcode"):
        value = getattr(orig, name, None)
        if value:
            return str(value)
    return ""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or was never made."""
    if isinstance(error, DBAPIError) and (error.connection_invalidated or state(error) in _LOST):
        return True
    return isinstance(error, sa.exc.OperationalError) and error.statement is None


def is_passing(error: BaseException) -> bool:
    """Whether another transaction, or a limit of the server's, ended the statement.

    The same one may then succeed later.
    """
    return state(error) in (*_LOCKED, *_CONFLICT, *_TIMED_OUT)


def is_held(error: BaseException) -> bool:
    """Whether the statement waited for a lock until its time was over."""
    return state(error) in _LOCKED


def is_view(error: BaseException) -> bool:
    """Whether the write went to a view that takes none such."""
    # SQLite has no code for it.
    return state(error) in _VIEW or "because it is a view" in str(getattr(error, "orig", ""))


def is_trouble(error: BaseException) -> bool:
    """Whether the database itself is in trouble, whatever it was asked to write.

    A full disk, a file that cannot be read.
    """
    number = state(error)
    orig = getattr(error, "orig", None)
    if isinstance(orig, sqlite3.Error):
        # Of a value it says IntegrityError or DataError.
        return isinstance(orig, sqlite3.OperationalError)
    return number in _TROUBLED or (len(number) == 5 and number.startswith(_TROUBLED_CLASSES))


def is_read_only(error: BaseException) -> bool:
    """Whether the database takes no writes at all."""
    return state(error) in _READ_ONLY


def passing(error: BaseException) -> tuple[str, str]:
    """A code and a sentence for what may succeed later."""
    number = state(error)
    if number in _TIMED_OUT:
        return "DB_TIMED_OUT", "the database's own limit for a statement ended it"
    if number in _CONFLICT:
        return (
            "DB_CONFLICT",
            "the database ended it in favour of another transaction, each time it was tried",
        )
    return "ROW_LOCKED", "another transaction holds a lock on it"


def is_duplicate(error: BaseException) -> bool:
    """Whether a unique constraint was violated."""
    return state(error) in _UNIQUE or (
        isinstance(error, sa.exc.IntegrityError) and "unique" in str(error.orig).lower()
    )


def explain(error: StatementError, *, deleting: bool = False) -> tuple[str, str]:
    """A code and a sentence without values."""
    at = _bracketed(_named(error))
    number = state(error)
    if deleting and number in _REFERENCE:
        return "REFERRED_TO", f"another row of the database refers to the record{at}"
    if number in _FORBIDDEN:
        return Forbidden.code, f"the database user lacks the right to write here{at}"
    if is_read_only(error):
        return "DB_READ_ONLY", "the database takes no writes"
    if is_passing(error):
        return passing(error)
    if is_view(error):
        why = "it is a view, and nothing says what such a write does to the tables below it"
        return "VIEW", why + at
    if is_trouble(error):
        why = "the database could not carry it out, and says so of no value"
        return Transient.code, why + _bracketed(number)
    if is_duplicate(error):
        return "DUPLICATE", f"the database has another record with the same unique value{at}"
    if isinstance(error, sa.exc.IntegrityError) or number in _CONSTRAINT:
        return "CONSTRAINT", f"the database refuses the record: {_constraint(error)}{at}"
    why = f"the database refuses a value{at}"
    if number:
        why += f", its error is {number}"
    return "INVALID_FIELD", why


def _bracketed(words: str) -> str:
    """Words as the end of a sentence; "" of none."""
    if not words:
        return ""
    return f" ({words})"


def _constraint(error: StatementError) -> str:
    """Which kind of constraint it is."""
    number = state(error)
    if number in _MISSING:
        return "a column that takes no empty value, and has no default, gets none"
    if number in _REFERENCE:
        return "it refers to a row that is not there, or another row refers to it"
    return "a constraint is violated"


def _named(error: StatementError) -> str:
    """The constraint or column that the database names."""
    diagnosis: Any = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        if diagnosis.constraint_name:
            return str(diagnosis.constraint_name)
        if diagnosis.column_name:
            return f"column {diagnosis.column_name}"
        return ""
    if error.orig is None or not error.orig.args:
        return ""
    for pattern in _NAMES:
        match = pattern.search(str(error.orig.args[-1]))
        if match:
            return match[1]
    return ""


def as_connector_error(error: Exception, doing: str) -> ConnectorError:
    """What a caller outside a write is told; the statement and its values stay inside."""
    number = state(error)
    suffix = _bracketed(number)
    if number in _FORBIDDEN:
        return Forbidden(
            f"the database user may not do this{suffix}: {doing}",
            remedy="grant SELECT on the tables",
        )
    if is_passing(error):
        code, why = passing(error)
        remedy = "see what else works on the tables, or raise the database's own limit, then repeat"
        return Transient(f"{why}{suffix}: {doing}", remedy=remedy, code=code)
    if is_lost(error):
        return Transient(
            f"the database could not be reached{suffix}: {doing}",
            remedy="check that it runs, then repeat",
        )
    kind = type(error).__name__
    return ConnectorError(
        f"the database answered with {kind}{suffix}: {doing}", remedy="run doctor on this pair"
    )
