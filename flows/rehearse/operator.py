"""Who runs the pair of a rehearsal: by the same jobs as the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.config import load
from flows.errors import message_of as said_of
from flows.jobs.approval import carry_out
from flows.jobs.delta import Delta
from flows.jobs.full import FULL, PLAN
from flows.outcome.tell import Told as Outcome
from flows.rehearse.pairfile import PAIR_FILE
from flows.rehearse.rules import Rules
from flows.rehearse.told import Told
from flows.run import Options
from flows.runner import run_job
from flows.state.backups import restore

_BY = "rehearsal"


@dataclass
class JobOperator:
    """Runs the pair in a folder, and keeps what was told."""

    folder: Path
    rules: Rules
    known: set[str] = field(default_factory=set)
    """The runs whose reports were read."""
    printed: list[Mapping[str, Any]] = field(default_factory=list)
    """What plans told: their reports are written over by those of `apply`."""

    @property
    def pair(self) -> Path:
        """The pair file."""
        return self.folder / PAIR_FILE

    def run(self, *words: str) -> Told:
        """One night; `words` are `--allow` and the names of limits."""
        named = (word for word in words if word != "--allow")
        allowed = frozenset(word.removeprefix("--") for word in named)
        options = Options(
            "nightly",
            allowed,
            flags=allowed,
            by=_BY if allowed else "",
        )
        before = self.runs()
        code, document, errors = self._called(
            lambda: run_job(
                load(self.pair),
                FULL,
                options=options,
            )
        )
        return Told(
            code,
            document or self._newest(before),
            errors,
            self.rules,
        )

    def command(self, name: str, *words: str) -> int:
        """A delta, or a plan carried out by its digest."""
        if name == "delta":
            return self._called(lambda: run_job(load(self.pair), Delta()))[0]
        options = Options("apply", by=_BY)
        return self._called(
            lambda: carry_out(
                load(self.pair),
                words[0],
                options,
            )
        )[0]

    def restore_ledger(self, backup: Path) -> None:
        """Put a backup of the ledger back."""
        restore(load(self.pair), backup)

    def plan(self) -> str | None:
        """A plan that is only shown; its digest."""
        _, document, _ = self._called(lambda: run_job(load(self.pair), PLAN))
        self.printed.append(document)
        digest: str | None = document.get("provenance", {}).get("plan_digest")
        return digest

    def begin(self, ahead: float) -> subprocess.Popen[bytes]:
        """The same night in a process of its own, which can be killed."""
        command = [sys.executable, "-m", "flows.rehearse.process", str(ahead), str(self.pair)]
        return subprocess.Popen(  # noqa: S603 - this product's own command
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment()
        )

    def reports(self) -> list[Mapping[str, Any]]:
        """The reports that were not read yet."""
        new = sorted(self.runs() - self.known)
        self.known |= set(new)
        files = [self._report(name) for name in new]
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
        plans, self.printed = self.printed, []
        return [*found, *({"interrupted": plan.get("interrupted", ())} for plan in plans)]

    def runs(self) -> set[str]:
        """The runs there are."""
        return {path.name for path in self.folder.glob("state/runs/*")}

    def _newest(self, before: set[str]) -> Mapping[str, Any]:
        """The report of the run that came to nothing: it returned none."""
        files = [self._report(name) for name in sorted(self.runs() - before)]
        there = [file for file in files if file.exists()]
        if not there:
            return {}
        found: Mapping[str, Any] = json.loads(there[-1].read_text("utf-8"))
        return found

    def _report(self, run: str) -> Path:
        return self.folder / "state" / "runs" / run / "report.json"

    @staticmethod
    def _called(job: Callable[[], Outcome]) -> tuple[int, Mapping[str, Any], str]:
        """The exit code, the report and what stood on standard error, as of the command."""
        try:
            outcome = job()
        except Exception as error:  # noqa: BLE001 - told as the command line tells it
            return 3, {}, said_of(error)
        return outcome.exit_code, outcome.document, ""


def _environment() -> dict[str, str]:
    """This process's own, with what it found its modules by."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
