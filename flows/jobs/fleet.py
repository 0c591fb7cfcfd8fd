"""Many pairs, each a run of its own in a process of its own.

One that fails never stops the others, and one report tells of all.
"""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from flows.clock import now
from flows.errors import redacted
from flows.jobs.turns import USUAL, Pace, Turn, Turns
from flows.outcome.fleet import LOST, WORDS, FleetReport, PairRun
from flows.state.pairs import last_seconds, url_of
from reconcile.errors import ConfigError, Problem
from reconcile.values.names import is_name

log = logging.getLogger("flows.jobs.fleet")

Job = Literal["run", "audit", "plan", "delta"]

LONGEST = timedelta(hours=23)
"""A run that takes longer than this is stopped: the next night is near, and it goes on then."""

GRACE_SECONDS = 120.0
"""How long a stopped run has to settle what it has done."""


PASSING = frozenset({"TRANSIENT", "EXHAUSTED_BURST", "BLOCKED", "LOCKED", "LEDGER", LOST})
"""The codes of what may be over an hour later: a pair that ended with one is put off."""

Runner = Callable[[Path, Job], PairRun]
"""Runs one pair and tells what came of it; raises nothing."""


def pair_files(folder: Path) -> list[Path]:
    """The pair files of a folder, by name. Raises ConfigError where there is none."""
    files = sorted(path for path in folder.glob("*.toml") if path.is_file() and _is_pair(path))
    if not files:
        what = "there is no pair file in this folder"
        raise ConfigError(
            [Problem(str(folder), what, "name the folder with the pairs' TOML files")]
        )
    return files


def _is_pair(path: Path) -> bool:
    """Whether a TOML file says which pair it is; other settings may lie beside.

    What cannot be parsed is a broken pair.
    """
    try:
        return "pair" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return True


def refused(pair: str, error: ConfigError) -> PairRun:
    """A pair of a ledger that this worker does not run, as one that failed."""
    return PairRun(
        pair if is_name(pair) else repr(pair[:60]), 3, 0.0, state="failed", error=str(error)
    )


def fleet(
    pairs: Sequence[Path],
    job: Job = "run",
    *,
    workers: int = 2,
    runner: Runner | None = None,
    before: Sequence[PairRun] = (),
    pace: Pace = USUAL,
) -> FleetReport:
    """Run every pair, `workers` at a time, each in its own process.

    The workers are shared fairly between the groups of pairs. What fails is told in the report.
    What failed of something that passes is put off until all others had their turn, and tried once
    more.

    `before` are pairs that came to nothing before any ran.
    """
    started, began = now(), time.monotonic()
    queue = _Queue(Turns.of(((path, group_of(path)) for path in pairs), pace))
    work = partial(_work, queue, runner or run_process, job)
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="pair") as pool:
        try:
            for each in [pool.submit(work) for _ in range(max(1, workers))]:
                each.result()
        finally:
            queue.close()
    runs = [*before, *queue.results.values()]
    worst = sorted(runs, key=lambda run: (-run.exit_code, run.pair))
    return FleetReport(job, started, time.monotonic() - began, workers, tuple(worst))


def _work(queue: _Queue, runner: Runner, job: Job) -> None:
    """What one worker does: pair after pair, until none is left."""
    try:
        while (turn := queue.take()) is not None:
            queue.settle(turn, runner(turn.pair, job))
    finally:
        queue.close()


class _Queue:
    """The turns, as workers in threads take them; `results` has each pair's last run."""

    def __init__(self, turns: Turns) -> None:
        self.results: dict[Path, PairRun] = {}
        self._turns = turns
        self._closed = False
        self._changed = threading.Condition()

    def take(self) -> Turn | None:
        """The next turn, once there is one; None where there is none any more."""
        with self._changed:
            while not (self._closed or self._turns.over):
                at = time.monotonic()
                if turn := self._turns.start(at):
                    return turn
                wait = self._turns.due - at
                # Nobody waits: what runs now may still be put off.
                self._changed.wait(wait if wait < math.inf else None)
            return None

    def settle(self, turn: Turn, run: PairRun) -> None:
        """A turn has ended with that; what may pass is put off, once."""
        if again := is_put_off(run, turn):
            log.info("put off", extra={"pair": turn.pair.name, "code": run.code})
        with self._changed:
            self.results[turn.pair] = replace(run, tries=turn.tries)
            self._turns.end(turn, time.monotonic(), again=again)
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody gets another turn: all is done, or the fleet is broken off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def is_put_off(run: PairRun, turn: Turn) -> bool:
    """Whether a pair that ended so is tried again: what may pass is, once."""
    return run.code in PASSING and turn.tries == 1


def group_of(pair: Path) -> str:
    """The group that shares the workers with others, by the pair file; empty where it says none.

    It is the file's `group`, else the agency. A file that cannot be read is in none.
    """
    try:
        document = tomllib.loads(pair.read_text(encoding="utf-8-sig"))
        oauth = document.get("ghl", {}).get("oauth", {})
        return str(document.get("group") or oauth.get("company") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def longest_first(pairs: Sequence[Path], before: Mapping[str, float]) -> list[Path]:
    """The pairs in the order in which the night is over soonest.

    Those that took longest last time start first, after those of which nothing is known: a long
    one that starts last keeps all others' workers waiting. `before` has seconds by pair.
    """
    return sorted(pairs, key=lambda path: -before.get(path.stem, float("inf")))


def seconds_of(report: Path) -> dict[str, float]:
    """How long each pair took, by the report of an earlier fleet; nothing where there is none."""
    try:
        runs = json.loads(report.read_text(encoding="utf-8"))["runs"]
        return {str(run["pair"]): float(run["seconds"]) for run in runs}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def seconds_before(job: Job, *, report: Path, ledger: str | None = None) -> dict[str, float]:
    """How long each pair took last time.

    By the ledger that keeps the pairs, which any worker reaches; else by an earlier report.
    """
    if ledger:
        return last_seconds(url_of(ledger), _NAMES.get(job, job))
    return seconds_of(report)


_NAMES = {"run": "nightly"}
"""What a ledger calls a job, where a fleet calls it otherwise."""

_PLAIN = {"audit": (), "plan": ()}


def run_process(path: Path, job: Job) -> PairRun:
    """One pair by the command line, in a process of its own.

    Nothing it does can harm the others.
    """
    engine = _PLAIN.get(job, ("--engine", "local"))
    command = [sys.executable, "-m", "flows.cli", job, "--pair", str(path), "--json", *engine]
    began = time.monotonic()
    log.info("pair", extra={"pair": path.name, "job": job})
    process = subprocess.Popen(  # noqa: S603 - our own program with a file's name
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    watch = threading.Timer(LONGEST.total_seconds(), process.terminate)
    watch.daemon = True
    watch.start()
    try:
        out, errors = process.communicate(timeout=LONGEST.total_seconds() + GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
    finally:
        watch.cancel()
    return pair_run(path, process.returncode, out, errors, time.monotonic() - began)


def pair_run(path: Path, code: int, out: str, errors: str, seconds: float) -> PairRun:
    """What a finished process told: its document where it printed one, else its last words."""
    seconds = round(seconds, 1)
    document: dict[str, Any] = {}
    try:
        document = json.loads(out)
        return of_document(path, code, document, seconds)
    except (ValueError, KeyError, TypeError):
        words = redacted(errors.strip())[-2_000:] or f"ended with {code} and said nothing"
        lost = LOST if code not in WORDS else ""
        return PairRun(
            path.stem,
            code if code in WORDS and code else 3,
            seconds,
            state="failed",
            error=words,
            code=_code(document) or lost,
        )


def _code(document: Any) -> str:
    """The code of the error that a document tells; empty where it tells none."""
    error = document.get("error") if isinstance(document, dict) else None
    return str(error.get("code") or "") if isinstance(error, dict) else ""


def of_document(
    path: Path, code: int, document: dict[str, Any], seconds: float, report: str = ""
) -> PairRun:
    """One pair's run from its report as a document."""
    totals = document["totals"]
    # What was only planned, or refused, did not happen: it is no figure of the fleet's.
    figures = {name: totals["done"][name] for name in ("creates", "updates", "deletes")}
    figures |= {"holds": totals["questions"], "failed": totals["failed"]}
    error = document.get("error", {})
    words = [error.get(name) for name in ("what", "remedy")]
    return PairRun(
        pair=path.stem,
        exit_code=code,
        seconds=seconds,
        run_id=document["run_id"],
        state=document["state"],
        headline=document["verdict"]["headline"],
        error=redacted(" → ".join(filter(None, words))),
        figures=figures,
        code=_code(document),
        requests=sum(int(side.get("requests") or 0) for side in _sides(document)),
        report=report,
    )


def _sides(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    usage = document.get("usage") or {}
    return [
        side
        for side in (usage.values() if isinstance(usage, dict) else usage)
        if isinstance(side, dict)
    ]
