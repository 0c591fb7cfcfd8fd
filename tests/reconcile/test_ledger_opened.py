"""A ledger's SQLite file while other processes open, change and close it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from reconcile.ledger.ledger import Ledger


def test_a_new_file_that_another_process_writes_is_waited_for(tmp_path: Path) -> None:
    """SQLite says "locked" at once, without waiting, to who would switch such a file to a log of its writes."""
    file = tmp_path / "ledger.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE somebody_elses (x)")
    other.execute("BEGIN IMMEDIATE")
    over = threading.Timer(0.3, other.execute, ["COMMIT"])
    over.start()
    ledger = Ledger(f"sqlite:///{file}", "p")
    try:
        assert ledger.state().generation == 0
    finally:
        ledger.close()
        over.join()
        other.close()
