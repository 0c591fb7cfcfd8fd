"""Where a sandbox keeps its records.

Dictionaries in memory, each change written through to one SQLite file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from connectors.ghl.sandbox.nouns import KINDS, Noun

N = TypeVar("N", bound=Noun)

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS record (at INTEGER PRIMARY KEY, kind TEXT, id TEXT, "
    "body BLOB, UNIQUE (kind, id))"
)
# An update keeps its row number, so that records come back in the order in which they were made.
PUT = """
INSERT INTO record (kind, id, body) VALUES (?, ?, ?) \
ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body
"""
CHUNK = 5_000


class Store:
    """Tables by kind. With a path every `put` is committed before it returns, or with its batch.

    A commit with synchronous=OFF survives the death of the process (the pages are the kernel's by
    then), though not of the machine: enough for a sandbox, and a write costs some 20 microseconds
    instead of a disk flush.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._tables: dict[type[Noun], dict[str, Noun]] = {kind: {} for kind in KINDS}
        self._encode = msgspec.msgpack.Encoder().encode
        self._waiting: list[tuple[str, str, bytes]] | None = None
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        db.execute(SCHEMA)
        for kind in KINDS:
            decode = msgspec.msgpack.Decoder(kind).decode
            rows = db.execute(
                "SELECT id, body FROM record WHERE kind = ? ORDER BY at", (kind.__name__,)
            )
            self._tables[kind] = {key: decode(body) for key, body in rows}
        self._db = db

    def table(self, kind: type[N]) -> dict[str, N]:
        """All records of a kind by id: to read, never to change."""
        return cast("dict[str, N]", self._tables[kind])

    def put(self, record: Noun) -> None:
        """Insert or replace one record."""
        self._tables[type(record)][record.id] = record
        if self._db is None:
            return
        row = (type(record).__name__, record.id, self._encode(record))
        if self._waiting is not None:
            self._waiting.append(row)
            if len(self._waiting) >= CHUNK:
                self._flush()
        else:
            self._db.execute(PUT, row)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write everything put inside in one transaction; nested batches join the outer one."""
        if self._waiting is not None:
            yield
            return
        self._waiting = []
        if self._db is not None:
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._flush()
            self._waiting = None
            if self._db is not None:
                self._db.execute("COMMIT")

    def _flush(self) -> None:
        if self._db is not None and self._waiting:
            self._db.executemany(PUT, self._waiting)
            self._waiting.clear()

    def close(self) -> None:
        """Close the file; the store must not be used afterwards."""
        if self._db is not None:
            self._db.close()
            self._db = None
