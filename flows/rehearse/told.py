"""What a run said, read as an operator would read it: by its exit code and its report."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.rehearse.rules import Rules, Value, base

_FAILED = ("rejected", "in_doubt", "stale", "skipped", "value_dropped")


@dataclass
class Told:
    """What a run said.

    Its exit code, its report, and the index of the records and fields that the report names.
    """

    code: int
    document: Mapping[str, Any] = field(default_factory=dict)
    errors: str = ""
    rules: Rules = field(default_factory=dict)
    open: dict[tuple[str, str], set[str | None]] = field(default_factory=lambda: defaultdict(set))
    """Per (side, key): the fields that are held, failed, or listed as not in agreement.

    None stands for the whole record.
    """
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
        """What a run of the same night wrote, by its own report.

        What those that were killed had written is in the next one's.
        """
        interrupted = [entry for run in document.get("interrupted", ()) for entry in run["changes"]]
        for entry in (*document.get("changes", ()), *interrupted):
            self._changed(entry)

    def _held(self, hold: Mapping[str, Any]) -> None:
        name = base((hold["field"] or "").replace(": ", ":")) or None
        keys = [("app", hold["app_key"]), ("ghl", hold["ghl_key"])]
        others = (*hold["records"], *hold["candidates"])
        keys += [(one["side"], one["key"]) for one in others]
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
        """What the statement of values lists one by one.

        Whatever its form: any entry with a key and a class. A value that a rule wants so is no
        difference that is named: the check knows the rules itself. A record that stays on one side
        is, by what somebody decided.
        """
        todo: list[Any] = [self.document.get("values", {})]
        while todo:
            one = todo.pop()
            if isinstance(one, Mapping):
                if one.get("class") == "by_rule" and one.get("field"):
                    continue
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
            if written == name and (
                ":" in field_name
                or self._stands_for(
                    entity,
                    name,
                    before,
                    value,
                )
            ):
                return True
        return False

    @property
    def agreed(self) -> bool:
        """Whether the run said that both sides agree."""
        verdict = self.document.get("verdict", {})
        return self.code == 0 or verdict.get("code") == "agreed"

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
        """Whether the run says itself that it compared nothing, or not all of this entity."""
        partly = not all(self._complete(entity))
        return not self.agreed and (
            self.code == 3 or partly or self.document.get("state") == "stopped"
        )

    def saw(self, entity: str) -> bool:
        """Whether the run read all of an entity on both sides, and went on from there."""
        complete = self._complete(entity)
        return self.code != 3 and bool(complete) and all(complete)

    def _complete(self, entity: str) -> list[bool]:
        """Of each reading of an entity, or of contacts, whether it came to the end."""
        snapshots = self.document.get("provenance", {}).get("snapshots", ())
        return [one["complete"] for one in snapshots if one["entity"] in (entity, "contact")]

    @property
    def unexplained(self) -> int:
        """How many records the statement does not account for."""
        return int(self.document.get("statement", {}).get("unexplained", 0))

    def _stands_for(self, entity: str, name: str, shown: Any, value: Value) -> bool:
        rule = self.rules.get((entity, name))
        return rule is None or value in rule.shown(shown)


def limits_named(told: Told) -> list[str]:
    """The limits that a refusal says may be allowed by name."""
    said = f"{told.errors} {told.document.get('refusal', '')}"
    return sorted(set(re.findall(r"--allow ([a-z-]+)", said)))
