"""The outbox of the page on seconds works as it stands, on both database servers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.tables import PEOPLE, TODOS
from flows.demo.world import open_sandbox
from tests.connectors.databases import fresh_database
from tests.docs.pages import DOCS
from tests.flows.acme import Acme
from tests.flows.calls import say

PAGE = (DOCS / "tasks" / "realtime.md").read_text(encoding="utf-8")
SQL = dict(re.findall(r"## The outbox in (\w+)\n\n```sql\n(.*?)```", PAGE, re.DOTALL))
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SERVERS = {"PostgreSQL": "postgresql+psycopg", "MariaDB": "mysql+pymysql"}


@dataclass(frozen=True, slots=True)
class Followed:
    """A demo whose tables tell the outbox, with the page's program as a module."""

    acme: Acme
    engine: sa.Engine
    turn: Callable[[], int]

    def waiting(self) -> set[tuple[str, str]]:
        """What the outbox names."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT kind, record FROM outbox")).all()
        return {(str(kind), str(record)) for kind, record in rows}


@pytest.fixture(params=SERVERS)
def followed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Followed]:
    """A demo after its first night; deltas run within the test."""
    for url in fresh_database(request.param.lower(), tmp_path):
        address = f"{SERVERS[request.param]}://{url.split('://', 1)[1]}"
        acme = Acme.made(tmp_path / "acme", contacts=40, app_url=address)
        acme.run(verify="none")
        engine = sa.create_engine(address)
        with engine.begin() as connection:
            for statement in re.split(r";\n(?=\nCREATE|CREATE|\Z)", SQL[request.param]):
                if statement.strip():
                    connection.exec_driver_sql(statement)

        def run(command: list[str]) -> subprocess.CompletedProcess[str]:
            assert command[0] == "ghl-reconcile"
            return subprocess.CompletedProcess(command, say(*command[1:]).code)

        monkeypatch.setattr(subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["follow.py", str(acme.pair), address])
        program: dict[str, Any] = {"__name__": "follow"}
        exec(compile(PROGRAM, "follow.py", "exec"), program)  # noqa: S102 - the page's own
        yield Followed(acme, engine, program["turn"])
        program["engine"].dispose()
        engine.dispose()


def test_what_the_outbox_names_is_carried_and_taken_out(followed: Followed) -> None:
    """A new name and a new task are in GHL after one turn; the job's own writes come back once; a run that fails leaves the rows."""
    with followed.engine.begin() as connection:
        person = connection.execute(
            sa.select(PEOPLE.c.id, PEOPLE.c.email).where(PEOPLE.c.email.like("%@%.%")).limit(1)
        ).one()
        connection.execute(
            sa.update(PEOPLE).where(PEOPLE.c.id == person.id).values(first_name="Renamed")
        )
        made = sa.insert(TODOS).values(
            person_id=person.id, title="Ring at once", due_at=sa.func.now()
        )
        todo = connection.execute(made).inserted_primary_key
    assert todo is not None
    assert followed.waiting() == {("app", str(person.id)), ("app-task", str(todo[0]))}

    pair = followed.acme.pair
    away = pair.rename(pair.with_suffix(".away"))
    assert followed.turn() == 60
    assert len(followed.waiting()) == 2
    away.rename(pair)

    assert followed.turn() == 0
    with open_sandbox(followed.acme.folder / SANDBOX_FILE) as sandbox:
        named = [row["id"] for row in sandbox.contacts(LOCATION) if row["firstName"] == "Renamed"]
        tasks = [row for row in sandbox.tasks(LOCATION) if row["title"] == "Ring at once"]
    assert [task["contactId"] for task in tasks] == named
    while followed.waiting():
        assert followed.turn() == 0
    assert followed.turn() == 1
