"""Remembers the keys that a run's creates were given, in a file: a first load has a million."""

from __future__ import annotations

import sqlite3
import weakref

from reconcile.model import Side


class Made:
    """What this run created, by link and side, and by key; it is gone with whoever holds it."""

    def __init__(self) -> None:
        # Without a name it is SQLite's own temporary file, of which 2 MB are in memory.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._file.close)
        self._file.execute("PRAGMA journal_mode = OFF")
        # Nothing is lost with it: the keys stand in the journal, too, where a later run finds them.
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute(
            "CREATE TABLE made (link_id TEXT, side TEXT, key TEXT, "
            "PRIMARY KEY (link_id, side)) WITHOUT ROWID"
        )
        self._file.execute("CREATE INDEX made_by_key ON made (key)")

    def add(self, link_id: str, side: Side, key: str) -> None:
        """Remember the key of a link's new record."""
        self._file.execute(
            "INSERT OR REPLACE INTO made VALUES (?, ?, ?)", (link_id, side.value, key)
        )

    def key_of(self, link_id: str, side: Side) -> str | None:
        """The key of a link's new record on a side; None where none was made."""
        row = self._file.execute(
            "SELECT key FROM made WHERE link_id = ? AND side = ?", (link_id, side.value)
        ).fetchone()
        return None if row is None else str(row[0])

    def has(self, key: str) -> bool:
        """Whether a record with this key was made, on either side."""
        return self._file.execute("SELECT 1 FROM made WHERE key = ?", (key,)).fetchone() is not None
