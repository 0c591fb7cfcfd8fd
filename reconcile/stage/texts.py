"""Texts of a result's row, which DuckDB's client types as any object."""

from __future__ import annotations


def text(value: object) -> str | None:
    """The text of a column that may be NULL."""
    return None if value is None else str(value)
