"""A database that was put back to yesterday's backup, as the real connector reads it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.errors import Refused
from tests.flows.acme import Acme

_EDITED = (
    "SELECT id FROM people WHERE deleted_at IS NULL AND email IS NOT NULL ORDER BY id LIMIT 20"
)


def _edit(database: Path, moment: datetime) -> None:
    """Twenty people's companies, changed at that moment."""
    at = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(database)) as connection, connection:
        change = f"UPDATE people SET company = 'Later & Co ' || id, updated_at = ? WHERE id IN ({_EDITED})"
        connection.execute(change, (at,))


def test_a_restored_database_is_refused_and_brought_back(tmp_path: Path) -> None:
    """Twenty people went back with the backup: nothing is written until a word brings all of them back from GHL."""
    acme = Acme.made(tmp_path / "acme", contacts=60)
    database = acme.folder / "app.db"
    acme.run(verify="none", allowed=frozenset({"first-creates"}))
    shutil.copy(database, tmp_path / "backup.db")
    _edit(database, datetime.now(UTC) + timedelta(hours=1))
    acme.run(verify="none")
    later = acme.state()
    shutil.copy(tmp_path / "backup.db", database)
    with pytest.raises(Refused, match="linked records are older there"):
        acme.run(verify="none")
    assert {name: held for name, held in acme.state().items() if name.startswith("ghl")} == {
        name: held for name, held in later.items() if name.startswith("ghl")
    }
    acme.run(verify="none", allowed=frozenset({"restore-app"}))
    with closing(sqlite3.connect(database)) as connection:
        companies = {
            company
            for (company,) in connection.execute(
                "SELECT company FROM people WHERE deleted_at IS NULL"
            )
        }
    brought = {
        str(value)
        for row in later["ghl contacts"]
        for value in row
        if str(value).startswith("Later & Co")
    }
    assert len(brought) > 10
    assert brought <= companies
    assert acme.state()["ghl contacts"] == later["ghl contacts"]
