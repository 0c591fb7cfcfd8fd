"""What people see of a plan, a refusal and past runs: in a terminal of 80 and of 120 columns, and as JSON for machines."""

from __future__ import annotations

import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.tables import PEOPLE
from flows.demo.world import open_sandbox
from reconcile.report.along import words
from tests.flows.acme import Acme
from tests.flows.calls import say
from tests.screens import watch


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, Path]:
    folder = tmp_path_factory.mktemp("shown")
    acme = Acme.settled(folder / "acme")
    shutil.copytree(acme.folder, folder / "kept")
    return acme, folder / "kept"


@pytest.fixture
def acme(kept: tuple[Acme, Path]) -> Iterator[Acme]:
    """A world after its first night, put back after the test."""
    world, copy = kept
    yield world
    world.replaced_by(copy)


def _run_sql(acme: Acme, statement: sa.Executable) -> None:
    engine = sa.create_engine(acme.app_url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def _moved(acme: Acme) -> tuple[str, str]:
    """Let somebody whose city is known move to Lisboa; returns who, and from where."""
    engine = sa.create_engine(acme.app_url)
    with engine.connect() as connection:
        known = PEOPLE.c.city.is_not(None), PEOPLE.c.deleted_at.is_(None)
        one = connection.execute(sa.select(PEOPLE).where(*known).order_by(PEOPLE.c.id.desc()))
        person = one.mappings().first()
    engine.dispose()
    assert person is not None
    now = datetime.now(UTC).replace(tzinfo=None)
    move = sa.update(PEOPLE).where(PEOPLE.c.id == person["id"])
    _run_sql(acme, move.values(city="Lisboa, by the river Tejo", updated_at=now))
    return f"{person['first_name']} {person['last_name']}", person["city"]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_plan_shows_each_value_and_the_command_to_copy(acme: Acme, columns: int) -> None:
    """What will be written stands with both values, wrapped and not cut; the command that is offered carries it out."""
    name, city = _moved(acme)
    seen = watch("plan", "--pair", acme.pair, columns=columns)
    assert f'~ {name} (GHL) city: "{city}" → "Lisboa, by the river Tejo"' in seen.flowing
    assert "Contacts in GHL: 1 to update" in seen.text
    assert not [line for line in seen.lines if line.endswith("…")]
    wide = [line for line in seen.lines if len(line) > columns]
    assert wide == []
    offered = re.search(
        r"ghl-reconcile (apply [0-9a-f]{16} --pair \S+)", seen.text.replace("\n", "")
    )
    assert offered is not None
    command = shlex.split(offered[1].partition("Report:")[0])
    done = say(*command)
    assert done.code in (0, 1), done.errors
    assert "Contacts in GHL: 1 updated" in done.out


def _delete(acme: Acme, count: int) -> None:
    """Delete people in the app of whom GHL has tasks and notes."""
    owned, noted = _children(acme)
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        emails = {row["id"]: row["email"] for row in sandbox.contacts(LOCATION) if row["email"]}
    busy = [key for key, _ in owned.most_common() if key in emails and noted[key]][:count]
    now = datetime.now(UTC).replace(tzinfo=None)
    gone = PEOPLE.c.email.in_([emails[key] for key in busy])
    _run_sql(acme, sa.update(PEOPLE).where(gone).values(deleted_at=now))


def _children(acme: Acme) -> tuple[Counter[str], Counter[str]]:
    """How many tasks and notes GHL has of each contact."""
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        owned = Counter(str(row["contactId"]) for row in sandbox.tasks(LOCATION))
        noted = Counter(str(row["contactId"]) for row in sandbox.notes(LOCATION))
    return owned, noted


def test_a_refusal_is_a_table_and_says_what_goes_along(acme: Acme) -> None:
    """A run over a limit shows the limit, what was found, what is allowed, the tasks and notes that would go, and the flag."""
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(text.replace("max_deletes = 25", "max_deletes = 0"), encoding="utf-8")
    _delete(acme, 3)
    said = say("run", "--pair", acme.pair, "--engine", "local", "--verify", "none", "--json")
    document = said.document
    (limit,) = document["limits"]
    doomed = [change["ghl_key"] for change in document["changes"] if change["kind"] == "delete"]
    owned, noted = _children(acme)
    along = {"task": sum(map(owned.get, doomed)), "note": sum(map(noted.get, doomed))}  # type: ignore[arg-type]
    assert doomed
    assert (limit["name"], limit["found"], limit["allowed"]) == ("deletes", len(doomed), 0)
    assert limit["along"] == along
    ended = document["error"]["code"], document["exit_code"], document["state"]
    assert ended == ("LIMIT", 3, "refused")
    seen = watch("run", "--pair", acme.pair, "--engine", "local", "--verify", "none")
    assert seen.code == 3
    row = next(line for line in seen.lines if line.endswith("--allow deletes"))
    assert row.index(f"{len(doomed)} of ") < row.index("--allow deletes")
    assert f"with {words(along)}" in seen.flowing
    assert "(max_deletes)" in seen.text
    assert '{"at"' not in seen.raw
    shown = say("report", "--pair", acme.pair).out
    assert f"deleted, with {words(along)}" in " ".join(shown.split())


def test_history_tells_planned_and_done_apart(acme: Acme) -> None:
    """A plan that nobody applied, and a run that was refused, did nothing: `history` says what was planned, when, and for how long."""
    _moved(acme)
    say("plan", "--pair", acme.pair)
    newest = say("history", "--pair", acme.pair, "--json").document[0]
    assert (newest["totals"]["planned"]["writes"], newest["totals"]["done"]["writes"]) == (1, 0)
    assert newest["seconds"] > 0
    wide = watch("history", "--pair", acme.pair, columns=120)
    assert {"started", "took", "job", "planned", "done"} <= set(wide.lines[0].split())
    assert re.search(r"\d s\s+plan\s+planned\s+1\s+0", wide.lines[1])
    narrow = watch("history", "--pair", acme.pair, columns=80)
    assert newest["run_id"] in narrow.lines[0]
    assert "planned 1 done 0" in narrow.flowing
