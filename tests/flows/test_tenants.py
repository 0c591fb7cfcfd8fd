"""Pairs that come from a ledger: what a row may make a worker write, read, and send to whom is what the worker's own settings say."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.config import load
from flows.config.pair import read
from flows.state.pairs import write_out
from flows.wiring.worker import SETTINGS
from reconcile.errors import ConfigError, StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.values.names import checked
from tests.builders import empty_ledger
from tests.flows.calls import say

LOCATION = "loc-a"
PAIR = """\
pair = "acme"
store = "s3://acme-archive/runs"
ledger = "env:FLEET_LEDGER"
[app]
connector = "rest"
url = "https://crm.acme.example"
auth = { kind = "bearer", token = "env:ACME_CRM" }
[app.contact]
path = "people"
[ghl]
location = "loc-a"
token = "env:ACME_GHL"
[contact.fields]
mail = "email"
site = { ghl = "website", fallback = "https://not.of.a.host.example" }
"""
WORKER = """\
[pairs.acme]
location = "loc-a"
variables = ["ACME_GHL", "ACME_CRM"]
hosts = ["*.acme.example", "acme-archive"]
folders = ["{folder}/acme-data"]
[pairs.berlin]
location = "loc-b"
variables = ["BERLIN_GHL"]
"""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty ledger, and a worker whose settings name two pairs."""
    settings = tmp_path / "worker.toml"
    settings.write_text(WORKER.format(folder=tmp_path), encoding="utf-8")
    monkeypatch.setenv(SETTINGS, str(settings))
    for name in ("ACME_GHL", "ACME_CRM", "BERLIN_GHL", "SECRET"):
        monkeypatch.setenv(name, f"value-of-{name}")
    (tmp_path / "fleet.db").write_bytes(empty_ledger())
    made = f"sqlite:///{tmp_path / 'fleet.db'}"
    monkeypatch.setenv("FLEET_LEDGER", made)
    return made


def row(url: str, name: str, body: str) -> None:
    """A row of the ledger as whoever can write to it may have made it."""
    ledger = Ledger(url, "")
    with ledger.transaction() as connection:
        connection.execute(
            sa.insert(schema.pair_file).values(pair=name, body=body, at="2026-01-01T00:00:00.000Z")
        )
    ledger.close()


def written(tmp_path: Path, url: str) -> list[Path]:
    """What a worker writes out for the ledger that the environment names."""
    return write_out(url, tmp_path / "worker", kept_in="env:FLEET_LEDGER")


def test_what_the_worker_names_is_written(tmp_path: Path, url: str) -> None:
    """A pair that its settings list, with its own variables, hosts and location, is written out and can be loaded."""
    row(url, "acme", PAIR)
    (file,) = written(tmp_path, url)
    assert load(file).ghl.location == LOCATION


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/b", "..", ".hidden", "acme\n", "", "a" * 300]
)
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, url: str, name: str) -> None:
    """A row whose name is no name is refused before anything is written, and so is one that says another name than its file."""
    row(url, name, PAIR)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="name"):
        written(tmp_path, url)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] in (
        [],
        [tmp_path / "worker"],
    )


def test_a_row_says_its_own_name(tmp_path: Path, url: str) -> None:
    """A row under one pair's name does not run as another pair."""
    row(url, "berlin", PAIR)
    with pytest.raises(ConfigError, match='says pair = "acme"'):
        written(tmp_path, url)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("env:ACME_GHL", "env:BERLIN_GHL", "BERLIN_GHL"),
        ("env:ACME_CRM", "env:SECRET", "SECRET"),
        ("env:ACME_CRM", "env:FLEET_LEDGER", "FLEET_LEDGER"),
        ("env:FLEET_LEDGER", "env:SECRET", "SECRET"),
        ("env:ACME_CRM", "file:/etc/hostname", "/etc/hostname"),
        ("env:ACME_CRM", "file:../berlin-token", "berlin-token"),
        ("loc-a", "loc-b", "loc-b"),
        ("https://crm.acme.example", "https://evil.example", "evil.example"),
        ("https://crm.acme.example", "https://crm.acme.example@evil.example", "evil.example"),
        ("https://crm.acme.example", "https://evil.example\\\\@crm.acme.example", "crm.acme.example"),
        ('path = "people"', 'path = "https://evil.example/people"', "evil.example"),
        ('kind = "bearer"', 'token_url = "https://evil.example/t", kind = "bearer"', "evil.example"),
        ("[ghl]\n", '[ghl]\nurl = "https://evil.example"\n', "evil.example"),
        ("[ghl]\n", '[ghl]\nurl = "sandbox:/etc/passwd"\n', "/etc/passwd"),
        ("[ghl]\n", '[ghl]\nurl = "http://127.0.0.1:1"\n', "127.0.0.1"),
        ("s3://acme-archive/runs", "s3://evil-bucket/runs", "evil-bucket"),
        ("s3://acme-archive/runs", "simplecache::s3://evil-bucket/runs", "evil-bucket"),
        ("s3://acme-archive/runs", "zip://acme-archive::s3://evil-bucket/runs", "evil-bucket"),
        ('connector = "rest"\nurl = "https://crm.acme.example"', 'url = "postgresql://crm.acme.example/x?host=evil.example"', "evil.example"),
        ("s3://acme-archive/runs", "/etc/cron.d", "/etc/cron.d"),
        ("s3://acme-archive/runs", "../..", "../.."),
        ('ledger = "env:FLEET_LEDGER"', 'ledger = "postgresql://u@evil.example/l"', "evil.example"),
        ('ledger = "env:FLEET_LEDGER"', 'ledger = "sqlite:////etc/x.db"', "/etc/x.db"),
        ('connector = "rest"\nurl = "https://crm.acme.example"', 'connector = "sql"\nurl = "sqlite:////etc/app.db"', "/etc/app.db"),
        ('connector = "rest"\nurl = "https://crm.acme.example"', 'connector = "somebodys"\nurl = "https://crm.acme.example"', "somebodys"),
    ],
)  # fmt: skip
def test_what_the_worker_does_not_name_is_refused(
    tmp_path: Path, url: str, old: str, new: str, what: str
) -> None:
    """Another tenant's variable or location, another host, a file elsewhere: the row is refused, by line and word."""
    assert old in PAIR
    row(url, "acme", PAIR.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, url)
    assert any(what in problem.what for problem in refused.value.problems), str(refused.value)
    assert not list((tmp_path / "worker").glob("*.toml"))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "excel"])
def test_files_of_other_pairs_are_not_read(tmp_path: Path, url: str, kind: str) -> None:
    """Files as an app lie in the pair's own folders, not beside the archives of others."""
    head, tail = PAIR[: PAIR.index("[app]")], PAIR[PAIR.index("[ghl]") :]
    app = '[app]\nconnector = "{}"\n[app.contact]\npath = "{}"\n'
    theirs, own = "state/runs/of-berlin/raw.parquet", f"{tmp_path}/acme-data/people"
    row(url, "acme", head + app.format(kind, theirs) + tail)
    with pytest.raises(ConfigError, match=r"raw\.parquet"):
        written(tmp_path, url)
    ledger = Ledger(url, "")
    with ledger.transaction() as connection:
        connection.execute(
            sa.update(schema.pair_file).values(body=head + app.format(kind, own) + tail)
        )
    ledger.close()
    assert written(tmp_path, url)


def test_a_worker_without_settings_runs_nothing_from_a_ledger(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is safe: a row alone moves no token of the worker, and the refusal says what to write where."""
    row(url, "acme", PAIR)
    monkeypatch.delenv(SETTINGS)
    with pytest.raises(ConfigError, match=r"\[pairs\.acme\]") as refused:
        written(tmp_path, url)
    assert SETTINGS in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["[pairs.acme]\nlocatoin = 'x'", "pairs = 3", "[pairs.acme", "[pairs.acme]\nvariables = 'X'"],
)
def test_settings_that_are_wrong_are_told(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A typing error in the worker's settings allows nothing, and is told as what it is."""
    row(url, "acme", PAIR)
    (tmp_path / "worker.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"worker\.toml"):
        written(tmp_path, url)


def test_a_refused_row_stops_no_other(tmp_path: Path, url: str) -> None:
    """`fleet --ledger` tells the refused pair and runs the rest; its exit code is the worst."""
    row(url, "../x", PAIR)
    row(url, "acme", PAIR)
    done = say(
        "fleet",
        tmp_path / "worker",
        "--ledger",
        "env:FLEET_LEDGER",
        "--job",
        "audit",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert done.code == 3
    runs = {run["pair"]: run["error"] for run in done.document["runs"]}
    assert set(runs) == {"'../x'", "acme"}
    assert "name" in runs["'../x'"]
    assert "name" not in runs["acme"]
    assert [path.name for path in (tmp_path / "worker").glob("*.toml")] == ["acme.toml"]


# `env:` stands for a secret, wherever the pair file comes from ---------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        ('path = "people"', 'path = "env:SECRET"'),
        ('location = "loc-a"', 'location = "env:SECRET"'),
        ("[ghl]\n", '[ghl]\nurl = "env:SECRET"\n'),
        ("https://crm.acme.example", "env:SECRET"),
        ('path = "people"', 'path = "people"\nconstants = { owner = "env:SECRET" }'),
        ('path = "people"', 'path = "people"\nsearch = { email = "env:SECRET" }'),
        (
            'connector = "rest"\nurl = "https://crm.acme.example"\nauth = { kind = "bearer", token = "env:ACME_CRM" }\n[app.contact]\npath',
            'connector = "sql"\nurl = "sqlite:///app.db"\n[app.contact]\ntable',
        ),
    ],
    ids=["path", "location", "url", "app url", "constants", "search", "table"],
)  # fmt: skip
def test_a_variable_is_looked_up_for_a_secret_alone(
    tmp_path: Path, changed: tuple[str, str]
) -> None:
    """A table's name, a path, a location or a constant is printed, sent and kept: no variable is looked up for it."""
    text = PAIR.replace(*changed).replace("s3://acme-archive/runs", "state")
    text = text.replace('table = "people"', 'table = "env:SECRET"')
    environ = dict.fromkeys(("ACME_GHL", "ACME_CRM"), "x") | {
        "SECRET": "hunter2-value",
        "FLEET_LEDGER": "sqlite:///l.db",
    }
    with pytest.raises(ConfigError) as refused:
        read(text, tmp_path / "acme.toml", environ=environ)
    assert "hunter2" not in str(refused.value)
    assert any("stands for a secret" in problem.what for problem in refused.value.problems), str(
        refused.value
    )


# names that become paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "", "x\n", "/etc", "a" * 300])
def test_a_run_of_a_ledger_that_is_no_name_is_no_run(tmp_path: Path, name: str) -> None:
    """A row of the ledger that would lead out of the store is not listed, pruned, reported or undone."""
    from reconcile.ledger import runs

    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", "acme")
    runs.start(ledger, name, "nightly", at="2026-01-01T00:00:00.000Z")
    runs.mark(ledger, name, state="applying")
    runs.start(ledger, "20260101T000000-nightly-abcd", "nightly", at="2026-01-01T00:00:00.000Z")
    assert [each.run_id for each in runs.runs(ledger)] == ["20260101T000000-nightly-abcd"]
    assert runs.unsettled(ledger) == []
    assert runs.find(ledger, run_id=name) is None
    ledger.close()
    with pytest.raises(StateError) as refused:
        checked(name)
    assert refused.value.code == "NAME"


def test_prune_stays_inside_the_store(tmp_path: Path) -> None:
    """A run's name in the ledger that leads to another folder removes nothing there."""
    from flows.state.pruning import Keep, prune
    from reconcile.ledger import runs

    other = tmp_path / "other"
    other.mkdir()
    (other / "kept.txt").write_text("x")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", "acme")
    runs.start(ledger, "../../other", "nightly", at="2020-01-01T00:00:00.000Z")
    runs.mark(ledger, "../../other", state="failed")
    folder = tmp_path / "state" / "runs"
    folder.mkdir(parents=True)
    done = prune(ledger, folder, Keep(0, 0), now="2026-01-01T00:00:00.000Z", really=True)
    ledger.close()
    assert (other / "kept.txt").exists()
    assert done.runs == ()


def test_nothing_of_the_ledger_is_lost_by_the_check(tmp_path: Path) -> None:
    """Names as this product makes them pass."""
    assert checked("20261130T003257-plan-9115") == "20261130T003257-plan-9115"
    assert checked("r0001.proof") == "r0001.proof"
    assert sqlite3.sqlite_version
