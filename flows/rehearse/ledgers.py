"""The operator's nightly backups of the pair's ledger: the newest, and the one before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The ledger of a pair, and a folder for what is kept of it."""

    ledger: Path
    folder: Path

    @property
    def newest(self) -> Path:
        """The newest backup."""
        return self.folder / "ledger-0.db"

    @property
    def older(self) -> Path:
        """The one before."""
        return self.folder / "ledger-1.db"

    def keep(self) -> None:
        """Keep what the ledger holds now."""
        if not self.ledger.exists():
            return
        if self.newest.exists():
            self.newest.replace(self.older)
        _copy(self.ledger, self.newest)

    def put(self, backup: Path | None) -> bool:
        """Put a backup in the ledger's place, or leave none; whether there was one."""
        if backup is not None and not backup.exists():
            return False
        for file in self.ledger.parent.glob(f"{self.ledger.name}*"):
            file.unlink()
        if backup is not None:
            _copy(backup, self.ledger)
        return True


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
