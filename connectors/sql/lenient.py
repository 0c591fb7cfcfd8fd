"""Dates and times that PostgreSQL holds and Python does not (infinity, BC, 24:00).

They come as the server's text, not as a failed read.
"""

from __future__ import annotations

from typing import Any

from psycopg import DataError
from psycopg.types.datetime import DateLoader, TimeLoader, TimestampLoader, TimestamptzLoader


class _Lenient:
    def load(self, data: Any) -> Any:
        try:
            return super().load(data)  # type: ignore[misc]
        except DataError:
            return bytes(data).decode()


class _Date(_Lenient, DateLoader):
    pass


class _Time(_Lenient, TimeLoader):
    pass


class _Timestamp(_Lenient, TimestampLoader):
    pass


class _Timestamptz(_Lenient, TimestamptzLoader):
    pass


def register(connection: Any) -> None:
    """Let a psycopg connection give such values as text.

    One row of that kind stopped the reading of its neighbours.
    """
    for name, loader in {
        "date": _Date,
        "time": _Time,
        "timestamp": _Timestamp,
        "timestamptz": _Timestamptz,
    }.items():
        connection.adapters.register_loader(name, loader)
