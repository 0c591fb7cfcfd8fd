"""How names and texts are written in SQL.

This is the one place, so that no value of a person is ever read as a statement.
"""

from __future__ import annotations


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """An SQL string literal, or NULL."""
    if text is None:
        return "NULL"
    return "'" + text.replace("'", "''") + "'"
