"""The operator of the soak: carries out command lines, and reads what they say as an operator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.rehearse.rules import Rules
from flows.rehearse.told import Told
from tests.flows.calls import say
from tests.soak.values import RULES

ROOT = Path(__file__).parents[2]


@dataclass
class Operator:
    """Who runs the pair, answers its questions, and says what may go over a limit."""

    pair: Path
    known: set[str] = field(default_factory=set)
    """The runs whose reports were read."""

    rules: Rules = field(default_factory=lambda: RULES)
    """What the reports' values may stand for."""

    printed: list[Mapping[str, Any]] = field(default_factory=list)
    """What plans printed: their reports are written over by those of `apply`."""

    def reports(self) -> list[Mapping[str, Any]]:
        """The reports that were not read yet."""
        new = sorted(self.runs() - self.known)
        self.known |= set(new)
        files = [self.pair.parent / "state" / "runs" / name / "report.json" for name in new]
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
        plans, self.printed = self.printed, []
        return [*found, *({"interrupted": plan.get("interrupted", ())} for plan in plans)]

    def _document(self) -> Mapping[str, Any]:
        """The newest report on disk: a refused run prints none."""
        reports = sorted(
            self.pair.parent.glob("state/runs/*/report.json"), key=lambda path: path.stat().st_mtime
        )
        return json.loads(reports[-1].read_text(encoding="utf-8")) if reports else {}

    def run(self, *words: str, fresh: set[str] | None = None) -> Told:
        """One night. `fresh` are the runs there were before, by which a report of this one is known."""
        before = self.runs()
        said = say("run", "--pair", self.pair, "--engine", "local", "--json", *words)
        document = json.loads(said.out) if said.out.startswith("{") else {}
        if "changes" not in document:
            document = self._document() if self.runs() - before else {}
            document = document if document.get("run_id") not in before else {}
        return Told(
            said.code,
            document,
            said.errors + ("" if "changes" in document else said.out[:2000]),
            self.rules,
        )

    def command(self, name: str, *words: str) -> int:
        """Another job on the pair; its report is read with the night's."""
        return say(name, *words, "--pair", self.pair, "--json").code

    def restore_ledger(self, backup: Path) -> None:
        said = say("ledger", "restore", backup, "--pair", self.pair)
        assert said.code == 0, said.errors

    def plan(self) -> str | None:
        """A plan that is only shown; its digest."""
        said = say("plan", "--pair", self.pair, "--json")
        document = json.loads(said.out) if said.out.startswith("{") else {}
        self.printed.append(document)
        digest: str | None = document.get("provenance", {}).get("plan_digest")
        return digest

    def runs(self) -> set[str]:
        return {path.name for path in self.pair.parent.glob("state/runs/*")}

    def questions(self) -> list[dict[str, Any]]:
        said = say("review", "--pair", self.pair, "--json")
        found: list[dict[str, Any]] = json.loads(said.out) if said.out.startswith("[") else []
        return found

    def answer(self, hold_id: str, choice: str) -> bool:
        return say(
            "review", hold_id, choice, "--pair", self.pair, "--json", "--by", "soak"
        ).code in (0, 1)

    def begin(self, ahead: float) -> subprocess.Popen[bytes]:
        """The same night in a process of its own, which can be killed."""
        command = [sys.executable, "-m", "tests.soak.process", str(ahead)]
        command += ["run", "--pair", str(self.pair), "--engine", "local", "--json"]
        return subprocess.Popen(  # noqa: S603 - the soak's own command
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def killed(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of a night in a process of its own; whether it was killed."""
    process.communicate()
    return process.returncode == -signal.SIGKILL
