"""What Prefect and a pipe show of a run is what became of it: a reader that leaves, a process that is killed, a server that goes away."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.config import load
from flows.demo.pairfile import SANDBOX_FILE
from reconcile.ledger import runs, schema
from reconcile.ledger.ledger import Ledger
from tests.flows.acme import Acme
from tests.long_forms import tried

PATIENCE = 240.0
_AT_WORK = re.compile(rb"\d\d:\d\d:\d\d ")
"""How a line begins that says what the run is at."""


def slow(acme: Acme) -> None:
    """Let the location take its time, so that a run can be met in the middle."""
    settings = acme.folder / SANDBOX_FILE.replace(".db", ".toml")
    settings.write_text(
        "latency_seconds = 0.1\n" + settings.read_text(encoding="utf-8"), encoding="utf-8"
    )


def started(acme: Acme, *words: str, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "flows.cli", *words, "--pair", str(acme.pair)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], **more)  # noqa: S603 - our own program


def wait(reached: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.1)


def written(ledger: Ledger) -> int:
    """How many writes the journal has an answer to."""
    with ledger.engine.connect() as connection:
        done = (
            sa.select(sa.func.count())
            .select_from(schema.journal)
            .where(schema.journal.c.status == "done")
        )
        return int(connection.execute(done).scalar_one())


@pytest.mark.parametrize(
    "words",
    tried(
        [("audit",), ("audit", "--json"), ("history", "--json")],
        [("audit",), ("history", "--json")],
    ),
    ids=" ".join,
)
def test_a_reader_that_leaves_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    """`ghl-reconcile … | head -1`: the work is done to its end, the exit code is that of the work, and nothing is complained of."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    if words[0] == "history":
        acme.run(job="audit")
    codes, errors = [], b""
    for leaves in (False, True):
        with started(acme, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            if leaves and process.stdout is not None:
                process.stdout.close()
                errors = process.stderr.read() if process.stderr else b""
            else:
                process.communicate(timeout=PATIENCE)
            codes.append(process.wait(PATIENCE))
    assert codes[0] == codes[1] < 2
    # What takes two seconds is told as it goes on, on a machine that is busy.
    assert [line for line in errors.splitlines() if not _AT_WORK.match(line)] == []


def test_prefect_is_told_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer, or answers with a fault, neither holds up nor fails what is done."""
    from flows.orchestration import ghosts

    never, shown = threading.Event(), []

    def fault() -> None:
        raise OSError("the server has gone")

    ghosts.shortly(fault, lambda: shown.append("after the fault"))
    assert shown == ["after the fault"]
    monkeypatch.setattr(ghosts, "WAIT_SECONDS", 0.05)
    ghosts.shortly(never.wait, lambda: shown.append("too late"))
    assert shown == ["after the fault"]
    never.set()


def test_a_fault_of_prefects_after_the_work_is_none_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the run is settled and told, its exit code is its own, whatever Prefect's server answers at the end."""
    from flows.commands.running import through
    from flows.orchestration import engine
    from flows.outcome.tell import Told
    from flows.run import Options

    told = Told(1, "settled", {})

    def flow(*_: object, finished: bool) -> Told:
        if finished:
            engine.FINISHED.append(told)
        raise ConnectionError("the server has gone")

    monkeypatch.setattr(engine, "run_pair", partial(flow, finished=True))
    assert through("prefect", Path("acme.toml"), Options()) is told
    monkeypatch.setattr(engine, "run_pair", partial(flow, finished=False))
    with pytest.raises(ConnectionError):
        through("prefect", Path("acme.toml"), Options())


_LINGERING = """\
import threading
from flows import cli
cli.LINGER_SECONDS = 0.2
threading._register_atexit(threading.Event().wait)  # as Prefect's event worker waits for a server that is gone
cli._end(1)
"""


def test_a_library_that_never_says_goodbye_is_not_waited_for() -> None:
    """What hangs while the process ends is cut off, and the exit code is that of the work."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _LINGERING],
        cwd=Path(__file__).parents[2],
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1


def test_the_next_run_closes_one_that_was_killed(tmp_path: Path, prefect: Path) -> None:
    """A run that was killed while it wrote is Crashed in Prefect once the next run of its pair has begun, and so are its tasks."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    acme = Acme.made(tmp_path / "acme", contacts=44)
    slow(acme)
    environ = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    process = started(
        acme, "run", env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    pair = load(acme.pair)
    with closing(Ledger(pair.ledger_url.get_secret_value(), pair.name)) as ledger:
        wait(lambda: written(ledger) >= 2 or process.poll() is not None, "something is written")
        process.kill()
        process.wait()
        (dead,) = [row.summary["flow_run"] for row in runs.runs(ledger)]
        with get_client(sync_client=True) as client:
            assert client.read_flow_run(dead).state.type.value == "RUNNING"
            process = started(
                acme, "run", env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            _, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode < 2, errors
            assert client.read_flow_run(dead).state.type.value == "CRASHED"
            last = runs.runs(ledger)[0].summary["flow_run"]
            assert client.read_flow_run(last).state.type.value == "COMPLETED"
            from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

            chosen = FlowRunFilter(id=FlowRunFilterId(any_=[dead]))
            states = {
                each.state.type.value for each in client.read_task_runs(flow_run_filter=chosen)
            }
            assert "RUNNING" not in states
