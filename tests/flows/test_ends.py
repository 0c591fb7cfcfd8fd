"""How a process of the command line ends: told to stop, with nobody to listen, with words that the terminal cannot show."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
import sqlalchemy as sa

from flows.outcome import tell
from flows.run import Run
from reconcile.ledger import schema
from reconcile.model import Outcome, Status
from reconcile.values.jsonl import operation_json, outcome_json
from tests.builders import World, operation_of
from tests.flows.acme import Acme
from tests.flows.calls import say
from tests.flows.nights import opened

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A world after its first night, with questions that are open."""
    return Acme.settled(tmp_path_factory.mktemp("ends") / "acme")


def _started(*words: object, through: str = "", **environment: str) -> subprocess.Popen[str]:
    """The command as a process of its own; `through` is what a shell does with its streams."""
    command = [sys.executable, "-m", "flows.cli", *map(str, words)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    if through:
        command = ["/bin/sh", "-c", f'exec "$@" {through}', "sh", *command]
    return subprocess.Popen(  # noqa: S603 - the tests' own command
        command,
        cwd=ROOT,
        env=own | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(*words: object, through: str = "", **environment: str) -> tuple[int, str, str]:
    process = _started(*words, through=through, **environment)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_command_that_is_told_to_stop_does_not_end_with_0(
    acme: Acme, number: signal.Signals
) -> None:
    """0 says that both sides agree, which a command that was stopped does not know."""
    process = _started("audit", "--pair", acme.pair, GHL_RECONCILE_LOG="INFO")
    assert process.stderr is not None
    assert process.stderr.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 3


@pytest.mark.parametrize(
    ("end", "code"),
    [(SystemExit(3), 3), (SystemExit(130), 3), (KeyboardInterrupt(), 3), (SystemExit(0), 0)],
)
def test_an_end_from_within_is_told_by_its_code(
    acme: Acme, end: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal, or a server that gave up, comes as an exception of Python's own."""

    def ended(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr("reconcile.ledger.runs.runs", ended)
    assert say("history", "--pair", acme.pair).code == code


def test_a_server_that_cannot_start_does_not_end_with_0(acme: Acme) -> None:
    """So that what watches over it starts it again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, errors = _ended("webhooks", "--pair", acme.pair, "--port", taken.getsockname()[1])
    assert code == 3
    assert "address already in use" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_server_that_is_told_to_end_ends_with_0(number: signal.Signals) -> None:
    """To be ended is how a server ends."""
    process = _started("sandbox", "--port", "0")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_webhooks_end_though_slow_connections_are_open(acme: Acme) -> None:
    """Sixty that say nothing, or half of a body, keep neither others from being answered nor the server from its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = free.getsockname()
    process = _started("webhooks", "--pair", acme.pair, "--port", str(place[1]))
    assert process.stdout is not None
    process.stdout.readline()
    address = f"http://127.0.0.1:{place[1]}/health"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as patient:
        patient.get(address).raise_for_status()
    half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with ExitStack() as held:
        for at in range(60):
            slow = held.enter_context(socket.create_connection(place))
            slow.sendall(half if at % 2 else b"GET")
        assert httpx.get(address).json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors


def test_a_run_with_no_standard_error_goes_to_its_end(acme: Acme) -> None:
    """As some schedulers start it."""
    code, out, _ = _ended(
        "run", "--engine", "local", "--verify", "none", "--pair", acme.pair, through="2>&-"
    )
    assert (code, out != "") == (1, True)
    assert "settled" in say("history", "--pair", acme.pair, "--limit", "1").out


def test_a_run_with_no_standard_output_ends_with_its_own_code(acme: Acme) -> None:
    """What it came to lies in the report."""
    code, _, errors = _ended(
        "run", "--engine", "local", "--verify", "none", "--pair", acme.pair, through=">&-"
    )
    assert (code, "Traceback" in errors) == (1, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_run_whose_words_find_no_room_ends_with_its_own_code(acme: Acme) -> None:
    """The run is not refused because nothing more can be printed; where its report lies is told."""
    words = ("run", "--engine", "local", "--verify", "none", "--pair", acme.pair)
    code, _, errors = _ended(*words, through="> /dev/full")
    assert code == 1
    assert "could not be printed" in errors
    assert "report.html" in errors


def test_a_run_whose_time_is_over_while_it_reads_says_so_and_the_next_one_begins_anew(
    acme: Acme,
) -> None:
    """Exit code 3, as nothing was compared and nothing written; the history and its report call it stopped, and say why."""
    before, words = acme.state(), ("run", "--engine", "local", "--verify", "none")
    told = say(*words, "--max-minutes", "0.0001", "--pair", acme.pair)
    assert told.code == 3
    assert "[STOPPED] the time given to the run is over" in told.errors
    assert "report.html" in told.errors
    assert acme.state() == before
    newest = say("history", "--pair", acme.pair, "--limit", "1", "--json").document
    assert [run["state"] for run in newest] == ["stopped"]
    assert say(*words, "--pair", acme.pair).code == 1


def test_a_terminal_of_few_letters_shows_the_others_by_number(acme: Acme) -> None:
    """What cannot be shown is no reason to end."""
    code, out, errors = _ended("report", "--pair", acme.pair, PYTHONIOENCODING="ascii")
    assert (code, errors) == (0, "")
    assert out.isascii()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--allow", "deletions"), "NO_LIMIT"),
        (("run", "--allow", ""), "NO_LIMIT"),
        (("run", "--max-minutes", "1e300"), "MINUTES"),
        (("history", "--max-age-hours", "nan"), "MINUTES"),
        (("history", "--max-age-hours", "inf"), "MINUTES"),
        (("history", "--limit", "-5"), "--limit"),
        (("plan", "--backtest", "0"), "--backtest"),
        (("delta", "--app", ""), "NO_KEY"),
        (("review", "--web", "--port", "99999"), "--port"),
        (("deploy", "--cron", "nonsense", "--file", os.devnull), "SCHEDULE"),
        (("deploy", "--timezone", "Mars", "--file", os.devnull), "SCHEDULE"),
        (("undo", "20200101T000000-none-0000"), "NO_RUN"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_word_that_means_nothing_is_refused(
    acme: Acme, words: tuple[str, ...], said: str
) -> None:
    """Before anything is done, with a remedy, and without a run in the history."""
    before = say("history", "--pair", acme.pair, "--json").document
    told = say(*words, "--pair", acme.pair)
    assert told.code == 3
    assert said in told.errors + told.out
    assert "DEFECT" not in told.errors
    assert say("history", "--pair", acme.pair, "--json").document == before


def test_a_pair_named_twice_is_not_deployed_twice(acme: Acme) -> None:
    """Two deployments of one name would be one."""
    told = say("deploy", "--pair", acme.pair, "--pair", acme.pair, "--file", os.devnull)
    assert (told.code, "SCHEDULE" in told.errors) == (3, True)


def test_all_writes_of_an_interrupted_run_are_told() -> None:
    """However many they are: no report of its own tells of any of them."""
    done = {"status": "done", "outcome": outcome_json(Outcome("x", Status.DONE)), "begun_at": ""}
    with World() as world, opened(world, "nightly") as run:
        row = {"run_id": "killed", "operation": operation_json(operation_of()), **done}
        with run.ledger.transaction() as connection:
            rows = [{**row, "op_id": str(number)} for number in range(6_000)]
            connection.execute(sa.insert(schema.journal), rows)
        run.course.recovered = ("killed",)
        told = tell.about_of(run, "settled").interrupted["killed"]
        assert sum(1 for _ in told()) == 6_000


def test_what_is_applied_tells_of_the_runs_that_its_plan_settled(tmp_path: Path) -> None:
    """The report of an applied plan takes the place of the plan's own, and names the interrupted runs that were settled for it."""
    run = cast(
        "Run", SimpleNamespace(folder=tmp_path, course=SimpleNamespace(recovered=("later",)))
    )
    assert tell._settled_here(run) == ("later",)
    (tmp_path / "report.json").write_text(
        json.dumps({"interrupted": [{"run_id": "earlier"}]}), encoding="utf-8"
    )
    assert tell._settled_here(run) == ("earlier", "later")
