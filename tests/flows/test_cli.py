"""The command line: what each command does, says and ends with, and that no error of a user's world ends in a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox.requestlog import RequestRecord
from flows.cli import COMMANDS
from flows.clock import moment
from flows.demo import edits, unmet
from flows.demo.compare import agreed
from flows.demo.seen import opened
from flows.demo.tables import PEOPLE
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from tests.flows.acme import Acme
from tests.flows.calls import Said, say
from tests.long_forms import SOAK, tried

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, Path]:
    folder = tmp_path_factory.mktemp("cli")
    acme = Acme.settled(folder / "acme")
    shutil.copytree(acme.folder, folder / "kept")
    return acme, folder / "kept"


@pytest.fixture
def acme(kept: tuple[Acme, Path]) -> Iterator[Acme]:
    """A world after its first night, put back after the test."""
    world, copy = kept
    yield world
    world.replaced_by(copy)


@pytest.fixture
def selling(tmp_path: Path) -> Acme:
    """One with companies and deals as well, of which the demo's edits tell."""
    return Acme.settled(tmp_path / "selling", sales=True)


def _own_environment() -> dict[str, str]:
    """Without what the tests' own Prefect server needs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def _process(*words: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flows.cli", *map(str, words)]
    return subprocess.Popen(  # noqa: S603 - the tests' own command
        command,
        cwd=ROOT,
        env={**_own_environment(), "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# what each command does -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listing() -> str:
    """What `--help` says of all commands."""
    return say("--help").out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help(command: str, listing: str) -> None:
    """`COMMAND --help` says what the command does, ends with 0, and says it is one of the command line's."""
    said = say(command, "--help")
    assert said.code == 0
    assert command in said.out
    assert COMMANDS[command][1].split()[0] in listing


HEAVY = ("prefect", "pandas", "numpy", "duckdb", "openpyxl", "fastapi", "uvicorn")
"""What costs a tenth of a second and more to import; the ledger and the pair file need none of it."""
HEAVIER = (*HEAVY, "alembic", "httpx", "pydantic", "sqlalchemy")
"""What only a command that opens a pair needs."""


def _imported(*lines: str, among: Sequence[str]) -> set[str]:
    """Which of these packages a process has imported after carrying out the command lines."""
    calls = "; ".join(f"call({line.split()!r})" for line in lines)
    code = f"import sys; from flows.cli import call; {calls}; sys.stderr.write(' '.join({set(among)!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)  # noqa: S603 - the tests' own command
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.split())


def test_help_is_quick() -> None:
    """Help, of the whole and of a command that reads both sides, imports nothing that the command needs for its work."""
    lines = (
        "--help",
        "plan --help",
        "run --help",
        "history --help",
        "report --help",
        "review --help",
        "undo --help",
    )
    assert _imported(*lines, among=HEAVIER) == set()


def test_looking_is_quick(acme: Acme) -> None:
    """history, over a ledger that needs no migration, imports neither an engine nor what only migrations need."""
    say("history", "--pair", acme.pair)
    assert _imported(f"history --pair {acme.pair} --json", among=(*HEAVY, "alembic")) == set()


def test_doctor_prints_one_document(acme: Acme) -> None:
    """With --json `doctor` prints one JSON document on standard output and nothing else; it ends with 0 or 1."""
    said = say("doctor", "--pair", acme.pair, "--json")
    assert said.code in (0, 1), said.errors
    assert {"findings", "answers"} <= set(said.document)


def test_an_audit_looks_at_every_record(acme: Acme) -> None:
    """An audit's one document is about all records of both sides, not only about those that moved, and nothing is written."""
    said = say("audit", "--pair", acme.pair, "--json")
    assert said.code in (0, 1), said.errors
    audited = said.document
    assert {"run_id", "entities", "quality"} <= set(audited)
    assert (audited["state"], audited["applied"]) == ("audit", False)
    for each in audited["provenance"]["snapshots"]:
        looked_at = audited["quality"]["looked_at"][each["entity"]][each["side"]]
        assert looked_at["cell"] == looked_at["raw"] == each["rows"] > 0


def test_looking_commands(acme: Acme) -> None:
    """history, report, review and explain tell of the run that was, for people and as JSON."""
    history = say("history", "--pair", acme.pair, "--json")
    assert (history.code, history.document[0]["state"]) == (0, "settled")
    run_id = history.document[0]["run_id"]
    assert run_id in say("history", "--pair", acme.pair).out
    report = say("report", run_id, "--pair", acme.pair, "--json")
    assert (report.code, report.document["run_id"]) == (0, run_id)
    assert "linked" in say("report", "--pair", acme.pair).out
    review = say("review", "--pair", acme.pair, "--json")
    assert review.code == 1
    assert {"hold_id", "kind", "because", "options", "first_seen", "decision"} <= set(
        review.document[0]
    )
    assert review.document[0]["hold_id"][:6] in say("review", "--pair", acme.pair).out
    change = next(change for change in report.document["changes"] if change["kind"] == "create")
    key = change["app_key"] or change["ghl_key"]
    told = say("explain", change["entity"], key, "--pair", acme.pair, "--json")
    assert (told.code, told.document["writes"][0]["run_id"]) == (0, run_id)
    assert run_id in say("explain", change["entity"], key, "--pair", acme.pair).out


def test_what_is_looked_at_when_all_is_well(acme: Acme, tmp_path: Path) -> None:
    """`doctor` ends with 0, `review` too where nothing is asked; the newest run is told alone, with its state and its time."""
    made = Acme.made(tmp_path / "acme", contacts=44)
    assert say("doctor", "--pair", made.pair).code == 0
    assert say("review", "--pair", made.pair).code == 0
    (newest,) = say("history", "--pair", acme.pair, "--limit", 1, "--json").document
    assert newest["state"] == "settled"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", newest["started_at"])


def test_exit_0_when_nothing_is_open(acme: Acme) -> None:
    """A run after which both sides agree and nothing is held ends with 0, and prints one JSON document with --json."""
    _decide_everything(acme)
    assert say("run", "--pair", acme.pair, "--engine", "local", "--verify", "none").code in (0, 1)
    left = say("review", "--pair", acme.pair, "--json").document
    said = say("run", "--pair", acme.pair, "--engine", "local", "--verify", "none", "--json")
    assert said.code == int(bool(left))
    assert {"run_id", "entities", "changes"} <= set(said.document)


def _decide_everything(acme: Acme) -> None:
    for row in say("review", "--pair", acme.pair, "--json").document:
        choice = next((o for o in ("app", "ignore", "keep") if o in row["options"]), None)
        if choice:
            say("review", row["hold_id"], choice, "--pair", acme.pair)


def test_exit_2_when_a_record_fails(selling: Acme) -> None:
    """A write that GHL rejects is told with its code in the report, the rest is done, and the run ends with 2."""
    with opened(selling.folder, selling.pair, None) as ends:
        (one, _), (_, other), *_ = agreed(ends)
        taken = other.cells["email"]
        with ends.engine.begin() as connection:
            connection.execute(
                sa.update(PEOPLE).where(PEOPLE.c.id == int(one.key)).values(email=taken)
            )
    made = [edit for edit in edits(selling.folder, selling.pair) if edit.email != taken]
    said = say("run", "--pair", selling.pair, "--engine", "local", "--verify", "none", "--json")
    assert said.code == 2
    assert [
        change
        for change in said.document["changes"]
        if change["status"] == "rejected" and change["code"]
    ]
    assert unmet(selling.folder, selling.pair, made) == []


def test_demo_prints_one_document(tmp_path: Path) -> None:
    """`demo --json` prints one document with three runs and their figures by entity, and leaves a pair file that `plan` takes."""
    said = say(
        "demo", "--folder", tmp_path / "demo", "--contacts", "40", "--engine", "local", "--json"
    )
    assert said.code == 1, said.errors
    runs = said.document["runs"]
    names = {
        "creates",
        "updates",
        "deletes",
        "conflicts",
        "holds",
        "requests",
        "estimate",
        "residual_operations",
    }
    assert len(runs) == 3
    for entities in (run["entities"] for run in runs):
        assert set(entities) == {"company", "contact", "opportunity", "tag", "task", "note"}
        assert all(names <= set(row) for row in entities.values())
    assert [
        sum(row["residual_operations"] for row in run["entities"].values()) for run in runs
    ] == [0, 0, 0]
    last = runs[2]["entities"].values()
    assert sum(row[name] for row in last for name in ("creates", "updates", "deletes")) == 0
    planned = say("plan", "--pair", tmp_path / "demo" / "acme.toml", "--json")
    assert (planned.code, planned.document["changes"]) == (1, [])
    assert {"run_id", "entities", "holds", "provenance"} <= set(planned.document)


def test_sandbox_serves_until_interrupted() -> None:
    """`sandbox` prints its address first, answers there, and ends cleanly when it is interrupted."""
    import httpx

    process = _process("sandbox", "--port", "0")
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert httpx.get(f"{url}/_sandbox/log").status_code == 200
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in (0, 3)


# what goes wrong in a user's world ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is made wrong, the words that must be told, and the command that meets it."""

    make: Callable[[Acme], None]
    words: tuple[str, ...]
    command: tuple[str, ...] = ("run", "--engine", "local", "--verify", "none")


def _rewritten(old: str, new: str) -> Callable[[Acme], None]:
    def make(acme: Acme) -> None:
        text = acme.pair.read_text(encoding="utf-8")
        assert old in text
        acme.pair.write_text(text.replace(old, new), encoding="utf-8")

    return make


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _all_at_once(acme: Acme) -> None:
    _rewritten('table = "people"', 'table = "persons"\ntabel = "x"')(acme)
    _rewritten("max_deletes = 25", 'max_deletes = "many"')(acme)
    _rewritten('url = "sqlite:///app.db"', 'url = "env:NO_SUCH_VARIABLE_HERE"')(acme)


def _unreachable(acme: Acme) -> None:
    address = f'url = "http://127.0.0.1:{_free_port()}"\ntoken = "file:token.txt"\nattempts = 1'
    _rewritten('url = "sandbox:ghl-sandbox.db"', address)(acme)
    (acme.folder / "token.txt").write_text("pit-x", encoding="utf-8")
    (acme.folder / "token.txt").chmod(0o600)


def _blocked_store(acme: Acme) -> None:
    shutil.rmtree(acme.folder / "state")
    (acme.folder / "state").write_text("a file where the folder should be", encoding="utf-8")


def _blocked_runs(acme: Acme) -> None:
    shutil.rmtree(acme.folder / "state" / "runs")
    (acme.folder / "state" / "runs").write_text(
        "a file where the folder should be", encoding="utf-8"
    )


def _broken_ledger(acme: Acme) -> None:
    for file in (acme.folder / "state").glob("*.db*"):
        file.write_bytes(b"this is no database " * 500)


def _locked(acme: Acme) -> None:
    from flows.config import load

    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")
    ledger.acquire(
        "elsewhere/1/some-run", now="2020-01-01T00:00:00.000Z", until="2999-01-01T00:00:00.000Z"
    )
    ledger.close()


TROUBLES = {
    "everything wrong at once": Trouble(
        _all_at_once, ("acme.toml:", "tabel", "max_deletes", "NO_SUCH_VARIABLE_HERE")
    ),
    "no TOML": Trouble(
        lambda acme: acme.pair.write_text("pair = [", encoding="utf-8") and None,
        ("acme.toml:1", "→"),
    ),
    "no pair file": Trouble(lambda acme: acme.pair.unlink(), ("acme.toml", "cannot be read", "→")),
    "no database": Trouble(
        lambda acme: (acme.folder / "app.db").unlink(), ("there is no database file", "→")
    ),
    "no table": Trouble(_rewritten('table = "people"', 'table = "persons"'), ("persons", "→")),
    "no column": Trouble(
        _rewritten('\ncompany = "companyName"', '\nfirm = "companyName"'), ("firm", "→")
    ),
    "GHL is not there": Trouble(_unreachable, ("→",)),
    "not allowed": Trouble(
        _rewritten('url = "sandbox:ghl-sandbox.db"', 'url = "https://ghl.invalid"\ntoken = "x"'),
        ("acme.toml", "→"),
    ),
    "store is a file": Trouble(_blocked_store, ("state", "→")),
    "runs cannot be kept": Trouble(_blocked_runs, ("runs", "→")),
    "ledger is no database": Trouble(_broken_ledger, ("LEDGER", "→")),
    "locked": Trouble(_locked, ("LOCKED", "elsewhere/1/some-run", "→")),
    "no such run": Trouble(
        lambda acme: None, ("NO_RUN", "→"), ("report", "20200101T000000-none-0000")
    ),
    "no such record": Trouble(
        lambda acme: None, ("NO_RECORD", "→"), ("explain", "contact", "no-such-key")
    ),
    "no such hold": Trouble(lambda acme: None, ("NO_HOLD", "→"), ("review", "nothold", "app")),
    "no such question": Trouble(lambda acme: None, ("NO_HOLD", "→"), ("review", "nothold")),
    "two answers": Trouble(
        lambda acme: None, ("ONE_ANSWER", "→"), ("review", "hold", "app", "--from-file", "x.xlsx")
    ),
    "no time": Trouble(lambda acme: None, ("MINUTES", "→"), ("run", "--max-minutes", "0")),
    "no number": Trouble(lambda acme: None, ("MINUTES", "→"), ("run", "--max-minutes", "nan")),
    "no such plan": Trouble(lambda acme: None, ("NO_PLAN", "→"), ("apply", "0000000000000000")),
}


@pytest.mark.parametrize("name", sorted(TROUBLES))
def test_trouble_is_told(acme: Acme, name: str) -> None:
    """What is wrong is told with a remedy, without a traceback, also as the one JSON document; the exit code is 3."""
    trouble = TROUBLES[name]
    trouble.make(acme)
    said = say(*trouble.command, "--pair", acme.pair, "--json")
    assert (said.code, said.document["exit_code"]) == (3, 3)
    assert "Traceback" not in said.errors
    assert 'File "' not in said.errors
    for word in trouble.words:
        assert word in said.errors


def test_a_failed_run_is_seen(acme: Acme) -> None:
    """A run that ends with an error is "failed": the monitor says so, and `report` shows why."""
    database = acme.folder / "app.db"
    database.rename(acme.folder / "away.db")
    assert say("run", "--pair", acme.pair, "--engine", "local").code == 3
    newest = say("history", "--pair", acme.pair, "--json").document[0]
    assert newest["state"] == "failed"
    said = say("history", "--pair", acme.pair, "--max-age-hours", "26")
    assert said.code == 2
    assert "the last run was failed" in said.out
    assert "there is no database file" in say("report", "--pair", acme.pair).out


def test_brackets_are_shown_as_they_are(acme: Acme) -> None:
    """Section names and folders in what is printed are text, not markup: what is shown can be found and pasted."""
    _rewritten('codec = "bool", fallback = false', 'codec = "date"')(acme)
    assert "[contact.fields] vip" in " ".join(say("doctor", "--pair", acme.pair).out.split())


def test_wrong_token_is_told(acme: Acme) -> None:
    """A token that GHL does not know ends the run with 3, names the credentials, and does not show the token."""
    with acme.served() as served:
        (acme.folder / "token.txt").write_text("pit-not-a-real-one", encoding="utf-8")
        said = say("run", "--pair", served.pair, "--engine", "local", "--json")
    assert (said.code, said.document["exit_code"]) == (3, 3)
    assert "token" in said.errors.lower() or "credential" in said.errors.lower()
    assert "pit-not-a-real-one" not in said.errors


def test_wrong_words_are_told() -> None:
    """An unknown command or option ends with 3, never with 1, which would say that holds remain."""
    for words in (
        ["rum"],
        ["run", "--pear", "x"],
        ["run"],
        ["run", "--pair", "x", "--engine", "steam"],
    ):
        assert say(*words).code == 3


def test_unforeseen_error_shows_no_value(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect ends with 3 and shows where it is, but not its message, which may hold a person's value."""
    values = ["kim", "example.com"]

    def broken(*_: object) -> None:
        raise ValueError("@".join(values))

    monkeypatch.setattr("flows.steps.steps.link", broken)
    said = say("plan", "--pair", acme.pair)
    assert said.code == 3
    assert "DEFECT" in said.errors
    assert "test_cli.py" in said.errors
    assert "kim@example.com" not in said.errors


@pytest.mark.parametrize("engine", ["local", "prefect"])
def test_refusal_is_told_by_either_engine(
    acme: Acme, engine: str, request: pytest.FixtureRequest
) -> None:
    """A run over a limit tells the limit and ends with 3 whatever engine carries it, without a traceback."""
    if engine == "prefect":
        request.getfixturevalue("prefect")
    _rewritten("max_deletes = 25", "max_deletes = 0")(acme)
    edits(acme.folder, acme.pair)
    before = acme.state()
    said = say("run", "--pair", acme.pair, "--engine", engine, "--verify", "none", "--json")
    assert (said.code, said.document["exit_code"]) == (3, 3)
    assert "--allow deletes" in said.errors
    assert "Traceback" not in said.errors
    assert acme.state() == before


# two runs, and runs that are stopped -----------------------------------------------------------------------------------


def _ledger_of(acme: Acme) -> sa.Engine:
    from flows.config import load

    return sa.create_engine(load(acme.pair).ledger_url.get_secret_value())


def test_second_run_is_refused(acme: Acme) -> None:
    """While one process runs a pair another is refused, with who holds it; the first one goes on unharmed."""
    from flows.config import load
    from flows.jobs.full import FULL
    from flows.opening import open_run
    from flows.run import Options
    from flows.runner import carry_out

    with open_run(load(acme.pair), Options("nightly", verify="none")) as run:
        process = _process("run", "--pair", acme.pair, "--engine", "local", "--json")
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, json.loads(out)["error"]["code"]) == (3, "LOCKED")
        assert "LOCKED" in errors
        assert run.holder in errors
        assert carry_out(run, FULL).state == "settled"


def test_expired_lease_is_taken_over(acme: Acme) -> None:
    """The lease of a holder that was killed is taken over once it has expired, and given back at the end."""
    from datetime import UTC, datetime, timedelta

    from flows.config import load

    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")
    ago = datetime.now(UTC) - timedelta(seconds=1)
    ledger.acquire("elsewhere/1/dead", now=moment(ago - timedelta(minutes=5)), until=moment(ago))
    ledger.close()
    assert say("plan", "--pair", acme.pair).code in (0, 1)
    engine = _ledger_of(acme)
    with engine.connect() as connection:
        assert connection.execute(sa.select(schema.lease)).all() == []
    engine.dispose()


STOPPED = [(signal.SIGINT, "local"), (signal.SIGTERM, "prefect")]


@pytest.mark.parametrize(
    ("number", "engine"),
    tried(list(product((signal.SIGTERM, signal.SIGINT), ("local", "prefect"))), STOPPED),
)
def test_stopped_run_settles_and_the_next_goes_on(
    selling: Acme,
    tmp_path: Path,
    number: signal.Signals,
    engine: str,
    request: pytest.FixtureRequest,
) -> None:
    """A signal in mid-apply ends the run after its chunk with all settled; the next run does the rest, and nothing twice."""
    environment = {"PREFECT_HOME": str(tmp_path)}
    if engine == "prefect" and not SOAK:  # a server of the process's own takes half a minute
        request.getfixturevalue("prefect")
        environment["PREFECT_API_URL"] = _prefect_url()
    made = edits(selling.folder, selling.pair)
    with selling.served() as served:
        reached = _Reached(served.sandbox.log)
        served.sandbox.log = reached
        words = ("run", "--pair", served.pair, "--engine", engine, "--verify", "none", "--json")
        process = _process(*words, **environment)
        reached.signalled = (process.pid, number)
        out, errors = process.communicate(timeout=120)
        assert process.returncode in (0, 1), errors
        assert "Traceback" not in errors
        assert json.loads(out)["state"] == "stopped"
        assert [change for change in json.loads(out)["changes"] if change["status"] == "done"]
        assert unmet(selling.folder, selling.pair, made, sandbox=served.sandbox)
        night = selling.run(pair=served.pair, verify="full")
        assert night.told.state == "settled"
        assert night.residual == 0
        assert unmet(selling.folder, selling.pair, made, sandbox=served.sandbox) == []


def _prefect_url() -> str:
    """Where the tests' own Prefect server is."""
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value())


class _Reached(deque[RequestRecord]):
    """The sandbox's log, which signals a process at the first write."""

    signalled: tuple[int, int] | None = None

    def append(self, record: RequestRecord, /) -> None:
        super().append(record)
        if self.signalled and record.method != "GET" and not record.path.endswith("/search"):
            os.kill(*self.signalled)
            self.signalled = None


def test_time_budget_stops_cleanly(selling: Acme) -> None:
    """A run whose time is over while it reads writes nothing and says so; the next one does it all."""
    made = edits(selling.folder, selling.pair)
    said: Said = say(
        "run",
        "--pair",
        selling.pair,
        "--engine",
        "local",
        "--verify",
        "none",
        "--max-minutes",
        "0.0001",
        "--json",
    )
    assert said.code == 3
    assert "[STOPPED]" in said.errors
    assert unmet(selling.folder, selling.pair, made)
    selling.run(verify="none")
    assert unmet(selling.folder, selling.pair, made) == []


def test_log_is_json_lines(acme: Acme) -> None:
    """With GHL_RECONCILE_LOG=INFO the log on standard error is one JSON object a line, with keys and no value of a person."""
    process = _process("plan", "--pair", acme.pair, GHL_RECONCILE_LOG="INFO")
    _, errors = process.communicate(timeout=120)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"at", "level", "logger", "event"} <= set(lines[0])
    assert any(line["event"] == "staged" and re.fullmatch(r"\d+", line["rows"]) for line in lines)
