"""After runs with a token nothing that was written anywhere holds it, and logs and Prefect's database hold nobody's values."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.demo import edits
from flows.demo.pairfile import LOCATION
from flows.demo.tables import PEOPLE, REMARKS, engine_of
from tests.flows.acme import Acme

ROOT = Path(__file__).parents[2]
TOKEN = "pit-0f1e2d3c-5a6b-4c7d-8e9f-a1b2c3d4e5f6"


@dataclass(frozen=True, slots=True)
class Left:
    """What runs left behind: the product's files, Prefect's, what was said on either output, and people's values."""

    files: dict[Path, bytes]
    prefect: dict[Path, bytes]
    said: bytes
    values: list[bytes]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Two nights with everything logged, the second by way of Prefect, and one that GHL refuses."""
    folder = tmp_path_factory.mktemp("secrets")
    acme, home = Acme.made(folder / "acme", contacts=44), folder / "prefect"
    values = _values(acme)
    with acme.served() as served:
        text = served.pair.read_text(encoding="utf-8").replace("file:token.txt", "env:ACME_TOKEN")
        served.pair.write_text(text, encoding="utf-8")
        served.sandbox.add_token(TOKEN, LOCATION)
        said = _said(served.pair, home, "--engine", "local", "--verify", "none", expected=1)
        edits(acme.folder, acme.pair, sandbox=served.sandbox)
        said += _said(served.pair, home, "--engine", "prefect", "--verify", "none", expected=1)
        served.sandbox.revoke_token(TOKEN)
        said += _said(served.pair, home, "--engine", "prefect", "--verify", "none", expected=3)
    own = {file: file.read_bytes() for file in (acme.folder / "state").rglob("*") if file.is_file()}
    return Left(
        own, {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}, said, values
    )


def _values(acme: Acme) -> list[bytes]:
    """Emails, streets and long notes: what nobody would write by chance."""
    engine = engine_of(acme.app_url)
    with engine.connect() as connection:
        people = connection.execute(sa.select(PEOPLE.c.email, PEOPLE.c.street)).all()
        bodies = connection.scalars(sa.select(REMARKS.c.body)).all()
    engine.dispose()
    texts = {value for row in people for value in row if value and len(value) > 8} | set(bodies)
    return sorted(text.partition("\n")[0].encode() for text in texts)


def _said(pair: Path, home: Path, *words: str, expected: int) -> bytes:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PYTHONPATH": str(ROOT),
        "ACME_TOKEN": TOKEN,
        "GHL_RECONCILE_LOG": "DEBUG",
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-m", "flows.cli", "run", "--pair", str(pair), *words]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=240)  # noqa: S603 - the tests' own command
    assert ended.returncode == expected, ended.stderr.decode()[-3000:]
    return ended.stderr if expected < 3 else ended.stderr + ended.stdout


def test_runs_left_files(left: Left) -> None:
    """The runs wrote a ledger, plans, reports and Prefect's database, so that there is something to search."""
    names = {file.name for file in left.files}
    assert {"plan.jsonl", "report.json", "report.md"} <= names
    assert any(file.suffix == ".db" for file in left.prefect)
    assert b'"event"' in left.said
    assert len(left.values) > 50


def test_token_is_nowhere(left: Left) -> None:
    """The token is in no log, report, plan, ledger or archive, nor in anything of Prefect's."""
    places = {**left.files, **left.prefect}
    assert not [str(file) for file, content in places.items() if TOKEN.encode() in content]
    assert TOKEN.encode() not in left.said


def test_values_are_not_logged(left: Left) -> None:
    """No email, street or note of anybody is in what the runs logged."""
    assert not [value for value in left.values if value in left.said]


def test_values_are_not_in_prefect(left: Left) -> None:
    """No email, street or note of anybody is in Prefect's database or in any other file of Prefect's."""
    found = [
        (value, file.name)
        for value in left.values
        for file, content in left.prefect.items()
        if value in content
    ]
    assert not found
