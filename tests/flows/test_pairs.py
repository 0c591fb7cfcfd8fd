"""Pair files that the ledger keeps: any worker runs them, no secret is among them, and a broken one is told alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox import Limit
from flows.jobs.fleet import fleet, seconds_before
from flows.state.pairs import drop, keep, last_seconds, pair_files, url_of, write_out
from flows.wiring.worker import SETTINGS
from reconcile.errors import ConfigError, StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from tests.connectors.databases import fresh_database
from tests.flows.calls import say
from tests.flows.test_fleet import PEOPLE, places

PAIR = """\
pair = "{name}"
ledger = "env:FLEET_LEDGER"
[app]
connector = "memory"
[ghl]
location = "{name}"
token = "env:GHL_TOKEN"
[contact.fields]
mail = "email"
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty ledger that the environment names."""
    monkeypatch.setenv("GHL_TOKEN", "pit-not-to-be-kept")
    given(tmp_path, monkeypatch, "paris", "berlin", variables=["GHL_TOKEN", "FLEET_LEDGER"])
    for made in fresh_database(request.param, tmp_path):
        monkeypatch.setenv("FLEET_LEDGER", made)
        yield made


def given(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str, **more: list[str]) -> None:
    """Let a worker run these pairs, each on the location of its name."""
    text = "".join(
        f'[pairs.{name}]\nlocation = "{name}"\n'
        + "".join(f"{key} = {value}\n" for key, value in more.items())
        for name in names
    )
    file = folder / "worker-settings.toml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv(SETTINGS, str(file))


def _file(folder: Path, name: str, text: str = PAIR) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text.format(name=name), encoding="utf-8")
    return file


def test_kept_files_come_back_as_they_were(url: str, tmp_path: Path) -> None:
    """What was kept is written out again, byte by byte, readable by its owner alone; only what is named, where names are given."""
    files = {name: _file(tmp_path / "mine", name) for name in ("paris", "berlin")}
    for file in files.values():
        keep(file)
    assert [name for name, _ in pair_files(url_of("env:FLEET_LEDGER"))] == ["berlin", "paris"]
    written = write_out(url_of("env:FLEET_LEDGER"), tmp_path / "worker")
    assert [path.name for path in written] == ["berlin.toml", "paris.toml"]
    assert all(path.read_bytes() == files[path.stem].read_bytes() for path in written)
    assert {path.stat().st_mode & 0o077 for path in written} == {0}
    assert [path.stem for path in write_out(url_of(url), tmp_path / "one", ["paris"])] == ["paris"]
    assert sorted(path.name for path in (tmp_path / "worker").iterdir()) == [
        "berlin.toml",
        "paris.toml",
    ]


def test_keeping_again_replaces(url: str, tmp_path: Path) -> None:
    """A pair has one file in the ledger: the last one kept."""
    keep(_file(tmp_path, "paris"))
    keep(_file(tmp_path, "paris", PAIR + 'phone = "phone"\n'))
    (written,) = write_out(url_of(url), tmp_path / "worker")
    assert 'phone = "phone"' in written.read_text()
    drop(url_of(url), "paris")
    assert pair_files(url_of(url)) == []
    with pytest.raises(ConfigError, match="keeps no pair file 'paris'"):
        drop(url_of(url), "paris")
    with pytest.raises(ConfigError, match="ledger add --pair FILE"):
        write_out(url_of(url), tmp_path / "worker")


def test_no_secret_is_kept(url: str, tmp_path: Path) -> None:
    """The ledger holds the references of the file, not what they refer to."""
    keep(_file(tmp_path, "paris"))
    engine = sa.create_engine(url_of(url))
    with engine.connect() as connection:
        body = connection.execute(sa.text("SELECT body FROM pair_file")).scalar_one()
    engine.dispose()
    assert "env:GHL_TOKEN" in body
    assert "pit-not-to-be-kept" not in body
    assert url not in body


def test_a_wrong_file_is_not_kept(url: str, tmp_path: Path) -> None:
    """A file with problems is refused with all of them, and the earlier one stays."""
    keep(_file(tmp_path, "paris"))
    with pytest.raises(ConfigError, match="emial"):
        keep(_file(tmp_path, "paris", PAIR + 'other = "emial"\nthird = "phoen"\n'))
    assert [name for name, _ in pair_files(url_of(url))] == ["paris"]
    assert "emial" not in write_out(url_of(url), tmp_path / "worker")[0].read_text()


def test_an_unset_ledger_is_told(tmp_path: Path) -> None:
    """A reference to a variable that is not set says so, and a ledger that cannot be opened is no empty fleet."""
    with pytest.raises(ConfigError, match="NO_SUCH_VARIABLE is not set"):
        url_of("env:NO_SUCH_VARIABLE")
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(StateError, match="cannot be opened"):
        pair_files(f"sqlite:///{tmp_path}/ledger.db")


def test_how_long_each_pair_took(url: str) -> None:
    """The last run of the job that did not fail says it, to the millisecond; a pair that never ran has no figure."""
    book = [
        (
            "a1",
            "paris",
            "nightly",
            "2026-12-01T01:00:00.000Z",
            "2026-12-01T01:09:00.000Z",
            "settled",
        ),
        (
            "a2",
            "paris",
            "nightly",
            "2026-12-02T01:00:00.000Z",
            "2026-12-02T01:00:07.250Z",
            "settled",
        ),
        (
            "a3",
            "paris",
            "nightly",
            "2026-12-03T01:00:00.000Z",
            "2026-12-03T01:00:01.000Z",
            "failed",
        ),
        ("a4", "paris", "delta", "2026-12-04T01:00:00.000Z", "2026-12-04T01:00:02.000Z", "settled"),
        ("b1", "berlin", "nightly", "2026-12-02T01:00:00.000Z", None, "running"),
    ]
    names = ("run_id", "pair", "job", "started_at", "ended_at", "state")
    with closing(Ledger(url, "")) as ledger, ledger.transaction() as connection:
        rows = [dict(zip(names, row, strict=True)) for row in book]
        connection.execute(sa.insert(schema.run), rows)
    assert last_seconds(url, "nightly") == {"paris": 7.25}


def test_the_commands(url: str, tmp_path: Path) -> None:
    """`ledger add`, `pairs` and `remove` keep, list and take out pair files."""
    files = [word for name in ("berlin", "paris") for word in ("--pair", _file(tmp_path, name))]
    assert say("ledger", "add", *files).out.split() == ["berlin", "paris"]
    assert say("ledger", "remove", "berlin", "--ledger", "env:FLEET_LEDGER").code == 0
    listed = say("ledger", "pairs", "--ledger", "env:FLEET_LEDGER", "--json").document
    assert [row["pair"] for row in listed] == ["paris"]
    assert say("ledger", "remove", "berlin", "--ledger", "env:FLEET_LEDGER").code == 3


def test_a_fleet_from_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that a ledger keeps runs where no pair file was: all right but the broken pair, which is told alone."""
    ledger = f"sqlite:///{tmp_path / 'fleet.db'}"
    monkeypatch.setenv("FLEET_LEDGER", ledger)
    (tmp_path / "made").mkdir()
    with places(tmp_path / "made", 3, "env:FLEET_LEDGER", limit=Limit(), broken="place01") as made:
        for name in made.names:
            file = made.folder / f"{name}.toml"
            file.write_text(file.read_text().replace("sqlite:///", f"sqlite:///{made.folder}/"))
            keep(file)
            file.unlink()
        given(
            tmp_path,
            monkeypatch,
            *made.names,
            variables=["FLEET_LEDGER"],
            hosts=["127.0.0.1"],
            folders=[str(made.folder)],
        )
        report = fleet(write_out(url_of("env:FLEET_LEDGER"), tmp_path / "worker"), workers=2)
        assert [made.arrived(name) for name in made.names] == [PEOPLE, 0, PEOPLE]
    took = seconds_before("run", report=tmp_path / "none.json", ledger="env:FLEET_LEDGER")
    assert took.keys() == {"place00", "place02"}
    assert [(run.pair, run.exit_code) for run in report.runs] == [
        ("place01", 3),
        ("place00", 0),
        ("place02", 0),
    ]
