"""Faults that a sandbox can show.

Which request each one strikes, and what it does to request or answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import msgspec

FaultKind = Literal[
    "rate_limited",  # 429 although the window has room
    "status",  # `status` (500, 502, 503, 520 ...; below 500 with `message`) and nothing done
    "reset_before",  # the connection is reset, nothing done
    "reset_after",  # the write is done, then the connection is reset
    "created_but_422",  # the write is done, the answer says 422 (docs/ghl.md#errors)
    "truncated_page",  # half of the page although more exist
    "wrong_total",  # `total` is too low by `amount`
    "stuck_cursor",  # the cursor is ignored: page one again
    "repeated_ids",  # one id twice on a page, another left out
    "cdn_block",  # the CDN's HTML page, 403, error 1010
    "bulk_tag_errors",  # every `amount`-th contact of a bulk tag request fails
    "slow",  # answers after `seconds`
    "malformed",  # 200 with JSON cut in the middle
    "drop_field",  # `field` of the body is silently not saved
    "extra_lag",  # this write shows in the search index `seconds` later than usual
    "refuse_filter",  # a search that filters on `field` answers 422
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    `method` and `path` are patterns ("*" any; `path` is a template such as /contacts/{contactId} or
    a glob).

    It strikes matching request number `nth` (1 is the first), or each `every`-th, or with
    `probability` by a generator seeded with `seed`; with none of them every one. `count` bounds how
    often, `after` skips that many matches first.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    count: int | None = None
    after: int = 0
    status: int = 502
    message: str = ""
    seconds: float = 0.0
    field: str = ""
    amount: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown fault kind {self.kind!r}")

    @staticmethod
    def parse(row: Any) -> Fault:
        """A fault from a table of a TOML or JSON document.

        Raises ValueError or TypeError saying what is wrong.
        """
        if not isinstance(row, Mapping) or "kind" not in row:
            raise TypeError(f"expected a table with `kind`, found {row!r}")
        known = {item.name for item in fields(Fault)}
        if unknown := sorted(set(row) - known):
            raise ValueError(
                f"unknown keys {', '.join(unknown)}; a fault has {', '.join(sorted(known))}"
            )
        try:
            return msgspec.convert(dict(row), Fault)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    struck: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def strikes(self, method: str, template: str, path: str) -> bool:
        rule = self.fault
        if rule.method not in ("*", method) or not _covers(rule.path, template, path):
            return False
        self.seen += 1
        number = self.seen - rule.after
        if number < 1 or (rule.count is not None and self.struck >= rule.count):
            return False
        hit = self._hits(number)
        self.struck += hit
        return hit

    def _hits(self, number: int) -> bool:
        rule = self.fault
        if rule.nth is not None:
            return number == rule.nth
        if rule.every is not None:
            return number % rule.every == 0
        return rule.probability is None or self.dice.random() < rule.probability


def _covers(pattern: str, template: str, path: str) -> bool:
    return (
        pattern in ("*", template, path)
        or fnmatchcase(template, pattern)
        or fnmatchcase(path, pattern)
    )


class FaultBox:
    """The faults that are on, with their counters."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._armed: list[_Armed] = []
        for fault in faults:
            self.arm(fault)

    def arm(self, fault: Fault) -> None:
        """Switch one more fault on; its count of matches starts now."""
        # Repeatable, not secret.
        self._armed.append(_Armed(fault, dice=random.Random(fault.seed)))  # noqa: S311

    def clear(self) -> None:
        """Switch all faults off."""
        self._armed.clear()

    def striking(self, method: str, template: str, path: str) -> dict[FaultKind, Fault]:
        """The faults that strike this request, by kind.

        Counts the request for every rule that matches it.
        """
        if not self._armed:
            return {}
        return {
            armed.fault.kind: armed.fault
            for armed in self._armed
            if armed.strikes(method, template, path)
        }

    def report(self) -> list[dict[str, Any]]:
        """Each fault with how many requests it matched and how often it struck."""
        return [
            {**asdict(armed.fault), "seen": armed.seen, "struck": armed.struck}
            for armed in self._armed
        ]


def bend_request(faults: Mapping[FaultKind, Fault], body: dict[str, Any]) -> list[str]:
    """Change a request body in place as the striking faults want.

    Returns the contacts taken out of a bulk request.
    """
    if "stuck_cursor" in faults:
        for key in ("searchAfter", "startAfter", "startAfterId", "skip"):
            body.pop(key, None)
    if drop := faults.get("drop_field"):
        _drop(body, drop.field)
    taken: list[str] = []
    if (fail := faults.get("bulk_tag_errors")) and isinstance(body.get("contacts"), list):
        taken = body["contacts"][:: max(fail.amount, 1)]
        body["contacts"] = [one for one in body["contacts"] if one not in taken]
    return taken


def _drop(body: dict[str, Any], name: str) -> None:
    head, _, wanted = name.partition(".")
    if head == "customFields" and wanted and isinstance(body.get(head), list):
        body[head] = [
            item for item in body[head] if wanted not in (item.get("id"), item.get("key"))
        ]
    else:
        body.pop(name, None)


def bend_answer(faults: Mapping[FaultKind, Fault], body: dict[str, Any], taken: list[str]) -> None:
    """Change an answer's body in place as the striking faults want."""
    for name in ("contacts", "tasks", "notes", "businesses"):
        rows = body.get(name)
        if not isinstance(rows, list):
            continue
        if "truncated_page" in faults:
            body[name] = rows = rows[: len(rows) // 2]
        if "repeated_ids" in faults and len(rows) > 1:
            rows[len(rows) // 2] = rows[0]
    if (wrong := faults.get("wrong_total")) and isinstance(body.get("total"), int):
        body["total"] = max(body["total"] - wrong.amount, 0)
    if taken and "responses" in body:
        failed = [
            {"contactId": one, "message": "Internal server error", "type": "error"} for one in taken
        ]
        body["responses"] = [*body["responses"], *failed]
        body["errorCount"] += len(failed)


def filters_on(filters: Any, name: str) -> bool:
    """Whether a search's filters mention a field at any depth."""
    if not isinstance(filters, list):
        return False
    return any(
        isinstance(one, dict) and (one.get("field") == name or filters_on(one.get("filters"), name))
        for one in filters
    )
