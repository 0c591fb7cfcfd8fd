"""The operator of the soak: carries out command lines, and reads what they say as an operator would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.flows.calls import say
from tests.soak.values import BY_NAME, Value, base

ROOT = Path(__file__).parents[2]
_FAILED = ("rejected", "in_doubt", "stale", "skipped", "value_dropped")


@dataclass
class Told:
    """What a run said: its exit code, its report, and the index of the records and fields that the report names."""

    code: int
    document: Mapping[str, Any] = field(default_factory=dict)
    errors: str = ""
    open: dict[tuple[str, str], set[str | None]] = field(default_factory=lambda: defaultdict(set))
    """Per (side, key): the fields that are held, failed, or listed as not in agreement; None for the whole record."""
    written: dict[tuple[str, str], list[tuple[str, str, Any, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Per (side, key): (kind, field, before, after) of each write that the report lists."""

    def __post_init__(self) -> None:
        for hold in self.document.get("holds", ()):
            self._held(hold)
        self.add(self.document)
        for one in self.document.get("passed", {}).get("records", ()):
            self.open[one["side"], one["key"]].add(None)
        self._valued()

    def add(self, document: Mapping[str, Any]) -> None:
        """What a run of the same night wrote, by its own report, and what those that were killed had written, by the next one's."""
        interrupted = [entry for run in document.get("interrupted", ()) for entry in run["changes"]]
        for entry in (*document.get("changes", ()), *interrupted):
            self._changed(entry)

    def _held(self, hold: Mapping[str, Any]) -> None:
        name = base((hold["field"] or "").replace(": ", ":")) or None
        keys = [("app", hold["app_key"]), ("ghl", hold["ghl_key"])]
        keys += [(one["side"], one["key"]) for one in (*hold["records"], *hold["candidates"])]
        for side, key in keys:
            if key:
                self.open[side, key].add(name)

    def _changed(self, entry: Mapping[str, Any]) -> None:
        failed = entry["status"] in _FAILED
        for side in ("app", "ghl"):
            key = entry[f"{side}_key"]
            if not key:
                continue
            if failed:
                self.open[side, key] |= {one["field"] for one in entry["fields"]} or {None}
            if failed and entry["kind"] in ("create", "delete"):
                self.open[side, key].add(None)
            if any("stored" in one for one in entry["fields"]):
                self.open[side, key] |= {one["field"] for one in entry["fields"] if "stored" in one}
        key = entry[f"{entry['side']}_key"]
        if key:
            listed = self.written[entry["side"], key]
            listed.append((entry["kind"], "", None, None))
            listed += [
                (entry["kind"], one["field"], one["before"], one["after"])
                for one in entry["fields"]
            ]

    def _valued(self) -> None:
        """What the statement of values lists one by one, whatever its form: any entry with a key and a class."""
        todo: list[Any] = [self.document.get("values", {})]
        while todo:
            one = todo.pop()
            if isinstance(one, Mapping):
                for side in ("app", "ghl"):
                    if isinstance(key := one.get(f"{side}_key"), str):
                        self.open[side, key].add(
                            base(str(one["field"]).replace(": ", ":")) if one.get("field") else None
                        )
                if isinstance(one.get("key"), str) and one.get("side") in ("app", "ghl"):
                    self.open[one["side"], one["key"]].add(one.get("field"))
                todo += one.values()
            elif isinstance(one, list):
                todo += one

    def names(self, keys: Mapping[str, str], field_name: str) -> bool:
        """Whether the report says of this value that it is not in agreement."""
        wanted = {None, base(field_name)}
        return any(self.open.get(at, set()) & wanted for at in keys.items())

    def overwrote(self, side: str, key: str, entity: str, field_name: str, value: Value) -> bool:
        """Whether the report shows this value as one that a write replaced on that side."""
        name = base(field_name)
        for kind, written, before, _ in self.written.get((side, key), ()):
            if kind in ("delete", "archive", "forget"):
                return True
            if written == name and (":" in field_name or _same(entity, name, before, value)):
                return True
        return False

    @property
    def agreed(self) -> bool:
        return self.code == 0 or self.document.get("verdict", {}).get("code") == "agreed"

    def unread(self, entity: str) -> int:
        """How many records of an entity the report counts as not looked at."""
        found = 0
        for each in self.document.get("statement", {}).get("entities", ()):
            if each["entity"] == entity:
                found += sum(
                    side["classes"].get("not_checked", 0) + side["unread"] for side in each["sides"]
                )
        return found

    def silent(self, entity: str) -> bool:
        """Whether the run says itself, as a whole, that it compared nothing or not all of this entity."""
        snapshots = self.document.get("provenance", {}).get("snapshots", ())
        partly = any(
            one["entity"] in (entity, "contact") and not one["complete"] for one in snapshots
        )
        return not self.agreed and (
            self.code == 3 or partly or self.document.get("state") == "stopped"
        )

    @property
    def unexplained(self) -> int:
        return int(self.document.get("statement", {}).get("unexplained", 0))


def _same(entity: str, name: str, shown: Any, value: Value) -> bool:
    known = BY_NAME.get((entity, name))
    if known is None:
        return True
    if name == "status":
        return True
    try:
        return value in (known.read(shown), known.read_app(shown))
    except ValueError:
        return False


@dataclass
class Operator:
    """Who runs the pair, answers its questions, and says what may go over a limit."""

    pair: Path
    known: set[str] = field(default_factory=set)
    """The runs whose reports were read."""

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
            said.code, document, said.errors + ("" if "changes" in document else said.out[:2000])
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
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


def killed(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of a night in a process of its own; whether it was killed."""
    process.communicate()
    return process.returncode == -signal.SIGKILL


def limits_named(told: Told) -> list[str]:
    """The limits that a refusal says may be allowed by name."""
    said = f"{told.errors} {told.document.get('refusal', '')}"
    return sorted(set(re.findall(r"--allow ([a-z-]+)", said)))
