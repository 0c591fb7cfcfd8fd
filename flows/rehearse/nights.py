"""Plays the nights of a rehearsal, and keeps what came of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.config import Pair
from flows.rehearse.days import one_day
from flows.rehearse.events import EVENTS, Event
from flows.rehearse.fields import why_unchecked
from flows.rehearse.findings import KINDS, Finding
from flows.rehearse.harms import HARMS
from flows.rehearse.told import Told
from flows.rehearse.town import Town, settled
from reconcile.model import OpKind, Side


@dataclass(frozen=True, slots=True)
class Night:
    """One night: how it ended, what had happened to the machines, and what it cost."""

    number: int
    code: int
    headline: str
    happened: str
    writes: int
    questions: int
    requests: int
    broken: tuple[Finding, ...] = ()


@dataclass
class Practice:
    """What the rule of one field did: values carried to each side, by reason, and questions."""

    carried: Counter[str] = field(default_factory=Counter)
    because: Counter[str] = field(default_factory=Counter)
    asked: int = 0


@dataclass
class Rehearsed:
    """What came of a rehearsal."""

    pair: str
    seed: int
    people: Mapping[str, int]
    of: Mapping[str, int]
    first: Mapping[str, Any] = field(default_factory=dict)
    """The report of the first night."""
    nights: list[Night] = field(default_factory=list)
    practice: dict[tuple[str, str], Practice] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    counts: Mapping[str, int] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    """What is copied and carried, and not checked, with the reason."""
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> list[Finding]:
        """Every promise that was not kept."""
        return [finding for night in self.nights for finding in night.broken]

    @property
    def exit_code(self) -> int:
        """0: every promise held. 2: one was broken."""
        return 2 if self.broken else 0

    @property
    def promises(self) -> dict[str, int]:
        """Each promise, and how often it was broken."""
        found = Counter(finding.kind for finding in self.broken)
        return {kind: found[kind] for kind in KINDS}


Heard = Callable[[Night], None]
"""Is told of every night as it ends."""


def rehearse(
    pair: Pair,
    folder: Path,
    *,
    nights: int,
    seed: int,
    people: int | None,
    into: str | None = None,
    only: Collection[str] | None = None,
    heard: Heard = lambda _: None,
) -> Rehearsed:
    """Play so many nights of a pair on copies of both sides, in an empty folder.

    At most so many people take part; None: all. The app's tables go to the empty database `into`,
    or to an SQLite file. `only` names what happens beside ordinary edits, every
    night then; None: anything may. Raises ConfigError where no copy of the app can be
    made, ConnectorError where a side cannot be read whole.
    """
    with settled(
        pair,
        folder,
        seed=seed,
        people=people,
        into=into,
    ) as town:
        done = _begun(pair, town, seed)
        asked: set[str] = set()
        by_day, by_night = _chosen(EVENTS, only), _chosen(HARMS, only)
        for number in range(1, nights + 1):
            town.day = number
            found, outcome = one_day(
                town,
                by_day,
                by_night,
                done.happened,
            )
            night = _night(town, outcome, found)
            done.nights.append(night)
            if number == 1:
                done.first = outcome.document
            _practise(done, outcome, asked)
            heard(night)
        done.counts = dict(town.book.counts)
    return done


def _chosen(happenings: Iterable[Event], only: Collection[str] | None) -> list[Event]:
    if only is None:
        return list(happenings)
    return [replace(one, share=1.0) for one in happenings if one.name in only]


def _begun(pair: Pair, town: Town, seed: int) -> Rehearsed:
    sample = town.copied.sample
    return Rehearsed(
        pair=pair.name,
        seed=seed,
        people={side.value: len(sample.keys[side]) for side in Side},
        of={side.value: sample.of[side] for side in Side},
        unchecked=tuple(_unchecked(pair)),
    )


def _unchecked(pair: Pair) -> Iterable[str]:
    for mapped in pair.mapping.entities:
        for one in mapped.fields:
            why = why_unchecked(one)
            if why:
                yield f"{mapped.entity} {one.name}: {why}"


def _night(town: Town, outcome: Told, found: list[Finding]) -> Night:
    whole = outcome.document
    totals = whole.get("totals", {})
    headline = whole.get("verdict", {}).get("headline") or outcome.errors.strip().partition("\n")[0]
    return Night(
        number=town.day,
        code=outcome.code,
        headline=headline,
        happened=town.judge.nights[-1].partition(" ")[2],
        writes=int(totals.get("done", {}).get("writes", 0)),
        questions=int(totals.get("questions", 0)),
        requests=int(whole.get("usage", {}).get("ghl", {}).get("requests", 0)),
        broken=tuple(found),
    )


def _practise(done: Rehearsed, outcome: Told, asked: set[str]) -> None:
    """Count what each field's rule did in a night; a question is counted once."""
    for entry in outcome.document.get("changes", ()):
        if entry["status"] != "done":
            continue
        reasons = _reasons(entry)
        for each in entry["fields"]:
            practice = done.practice.setdefault((entry["entity"], each["field"]), Practice())
            practice.carried[entry["side"]] += 1
            practice.because[reasons.get(each["field"], entry["kind"])] += 1
    for hold in outcome.document.get("holds", ()):
        if hold["hold_id"] not in asked:
            asked.add(hold["hold_id"])
            name = (hold["field"] or hold["kind"]).partition(":")[0]
            done.practice.setdefault((hold["entity"], name), Practice()).asked += 1


def _reasons(entry: Mapping[str, Any]) -> dict[str, str]:
    """Why each field of a change was written, as its sentence says: "city, state: …; phone: …"."""
    names = [each["field"] for each in entry["fields"]]
    if entry["kind"] != OpKind.UPDATE:
        return dict.fromkeys(names, entry["because"])
    one = "|".join(map(re.escape, names))
    parts = re.split(rf"(?:^|; )((?:{one})(?:, (?:{one}))*): ", entry["because"])
    found: dict[str, str] = {}
    for listed, said in zip(
        parts[1::2],
        parts[2::2],
        strict=False,
    ):
        found |= dict.fromkeys(listed.split(", "), said.strip())
    return found
