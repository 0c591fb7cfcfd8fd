"""The page that a rehearsal ends with: for a terminal, for machines, and as a file to read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from flows.rehearse.findings import KINDS, Finding
from flows.rehearse.nights import Night, Practice, Rehearsed
from reconcile.report.markdown import table
from reconcile.report.verdict import many

DAILY = 200_000
"""Requests that GHL allows a location a day (docs/ghl.md#rate-limits)."""

_MOST, _MOST_SHOWN = 25, 5
"""So many broken promises are told one by one: on the page, and on a terminal."""

_TOTALS = (
    ("links", "pairs that are the same"),
    ("creates", "new records"),
    ("updates", "updates"),
    ("deletes", "deletes"),
    ("tags_added", "tags added"),
    ("tags_removed", "tags removed"),
)


def document(done: Rehearsed, *, masked: bool = False) -> dict[str, Any]:
    """All of it for machines."""
    return {
        "pair": done.pair,
        "seed": done.seed,
        "people": dict(done.people),
        "of": dict(done.of),
        "exit_code": done.exit_code,
        "promises": {
            kind: {"says": says, "broken": done.promises[kind]} for kind, says in KINDS.items()
        },
        "broken": [_finding(finding, masked=masked) for finding in done.broken],
        "first_night": {
            "headline": done.first.get("verdict", {}).get("headline", ""),
            "done": done.first.get("totals", {}).get("done", {}),
            "questions": _questions(done.first),
        },
        "rules": [_rule(key, one) for key, one in sorted(done.practice.items())],
        "nights": [
            {
                "night": night.number,
                "exit_code": night.code,
                "headline": night.headline,
                "happened": night.happened,
                "writes": night.writes,
                "questions": night.questions,
                "requests": night.requests,
                "broken": len(night.broken),
            }
            for night in done.nights
        ],
        "happened": dict(done.happened),
        "values": dict(done.counts),
        "not_checked": list(done.unchecked),
    }


def _finding(finding: Finding, *, masked: bool) -> dict[str, Any]:
    told = {
        "night": finding.day,
        "promise": finding.kind,
        "entity": finding.ident[0],
        "record": finding.ident[1],
        "field": finding.name,
        "happened": list(finding.nights),
    }
    return told if masked else {**told, "what": finding.what, "story": list(finding.story)}


def _rule(key: tuple[str, str], one: Practice) -> dict[str, Any]:
    return {
        "entity": key[0],
        "field": key[1],
        "to_app": one.carried["app"],
        "to_ghl": one.carried["ghl"],
        "because": dict(one.because),
        "asked": one.asked,
    }


def _questions(whole: Mapping[str, Any]) -> dict[str, int]:
    return dict(Counter(hold["kind"] for hold in whole.get("holds", ())))


def markdown(done: Rehearsed, *, command: str, masked: bool = False) -> str:
    """The page as Markdown; `command` is what plays the same rehearsal, but for its nights."""
    parts = (
        _head(done),
        _broken(done, command, masked=masked),
        _first(done),
        _rules(done),
        _costs(done),
        _nights(done),
        _promises(done),
        _limits(done),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def summary(done: Rehearsed) -> Iterator[str]:
    """The same in a few lines, for a terminal."""
    yield verdict(done)
    yield _asked(done)
    yield _cost(done)


def worst(done: Rehearsed, *, masked: bool = False) -> Iterator[str]:
    """The first broken promises, for a terminal; masked: without what anybody had typed."""
    for finding in done.broken[:_MOST_SHOWN]:
        if masked:
            yield f"night {finding.day}, {_where(finding)}: {KINDS[finding.kind]}"
        else:
            yield str(finding)


def verdict(done: Rehearsed) -> str:
    """One sentence that says how it ended."""
    nights = many(len(done.nights), "night")
    typed = f"{done.counts.get('typed', 0):,} typed values"
    if not done.broken:
        return f"Every promise held in {nights}, with {typed}."
    kinds = [kind for kind, count in done.promises.items() if count]
    times = many(len(done.broken), "time")
    return f"A promise was broken {times} in {nights}: {', '.join(kinds)}."


def _asked(done: Rehearsed) -> str:
    asked = sum(one.asked for one in done.practice.values())
    return (
        f"{many(asked, 'question')} in all, {asked / max(len(done.nights), 1):.1f} a night, "
        "none of them answered here."
    )


def _share(done: Rehearsed) -> float:
    """How many times as many people there are as took part."""
    took_part = sum(done.people.values())
    return sum(done.of.values()) / took_part if took_part else 1.0


def _cost(done: Rehearsed) -> str:
    if not done.nights:
        return ""
    first = math.ceil(done.nights[0].requests * _share(done))
    later = [night.requests for night in done.nights[1:]]
    ordinary = math.ceil(median(later) * _share(done)) if later else first
    days = max(1, math.ceil(first / DAILY))
    told = f"GHL gets about {first:,} requests in the first night, {ordinary:,} in an ordinary one"
    return f"{told}: of {DAILY:,} that it allows a day, {many(days, 'night')}."


def _head(done: Rehearsed) -> Iterator[str]:
    yield f"# Rehearsal of {done.pair}"
    yield ""
    yield f"**{verdict(done)}**"
    yield ""
    people = ", ".join(
        f"{done.people[side]:,} of {done.of[side]:,} in {word}"
        for side, word in (("app", "the app"), ("ghl", "GHL"))
    )
    yield (
        f"Seed {done.seed}. People: {people}. Everything was played on copies: nothing was written "
        "to either side, nor to the pair's ledger."
    )


def _where(finding: Finding) -> str:
    entity, record = finding.ident
    return f"{finding.kind}, {entity} {record} {finding.name}".rstrip()


def _broken(done: Rehearsed, command: str, *, masked: bool) -> Iterator[str]:
    yield "## Broken promises"
    yield ""
    if not done.broken:
        yield "None."
        return
    for finding in done.broken[:_MOST]:
        where = f"night {finding.day}, {_where(finding)}"
        yield f"- {where}: {KINDS[finding.kind]}."
        if not masked:
            yield f"  {_plain(finding.what)}"
            yield from (f"  - {_plain(line)}" for line in finding.story)
        yield f"  - nights: {', '.join(finding.nights)}"
        yield f"  - to see it again: `{command} --nights {finding.day} --keep`"
    if len(done.broken) > _MOST:
        yield f"- … and {len(done.broken) - _MOST:,} more, in `rehearsal.json`"


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("<", "&lt;").replace("|", "\\|")


def _first(done: Rehearsed) -> Iterator[str]:
    yield "## The first night"
    yield ""
    yield f"{done.first.get('verdict', {}).get('headline', 'It came to nothing')}."
    yield ""
    made = done.first.get("totals", {}).get("done", {})
    rows = [(word, made.get(name, 0)) for name, word in _TOTALS if made.get(name)]
    rows += [(f"questions: {kind}", count) for kind, count in _questions(done.first).items()]
    yield from table(("what it does", "how many"), rows)


def _rules(done: Rehearsed) -> Iterator[str]:
    yield "## What each rule did"
    yield ""
    rows = []
    for (entity, name), one in sorted(done.practice.items()):
        because = "; ".join(f"{reason} ({count:,})" for reason, count in one.because.most_common(4))
        row = (f"{entity} {name}", because, one.carried["app"], one.carried["ghl"], one.asked)
        rows.append(row)
    heads = ("field", "why values were written", "to the app", "to GHL", "questions")
    yield from table(heads, rows, left=2)


def _costs(done: Rehearsed) -> Iterator[str]:
    yield "## Questions, requests, nights"
    yield ""
    yield f"- {_asked(done)}"
    yield f"- {_cost(done)}"
    codes = Counter(night.code for night in done.nights)
    ended = ", ".join(
        f"{many(count, 'night')} with {code}" for code, count in sorted(codes.items())
    )
    yield f"- Exit codes: {ended}."


def _nights(done: Rehearsed) -> Iterator[str]:
    yield "## Night by night"
    yield ""
    rows = [_row(night) for night in done.nights]
    heads = ("night", "what happened", "the run said", "exit", "writes", "questions", "broken")
    yield from table(heads, rows, left=3)


def _row(night: Night) -> tuple[object, ...]:
    happened = night.happened.replace("_", " ")
    return (
        f"{night.number}",
        happened,
        night.headline,
        night.code,
        night.writes,
        night.questions,
        len(night.broken),
    )


def _promises(done: Rehearsed) -> Iterator[str]:
    yield "## What was checked"
    yield ""
    yield "After every night, by what people had typed and where it is now, none of this may be:"
    yield ""
    rows = [(kind, says, done.promises[kind]) for kind, says in KINDS.items()]
    yield from table(
        ("promise", "what may never be", "times"),
        rows,
        left=2,
    )
    yield ""
    happened = ", ".join(
        f"{name.replace('_', ' ')} {count}" for name, count in sorted(done.happened.items())
    )
    yield f"What happened meanwhile: {happened or 'nothing'}."
    yield ""
    values = ", ".join(f"{name} {count:,}" for name, count in sorted(done.counts.items()))
    yield f"Values: {values}."


def _limits(done: Rehearsed) -> Iterator[str]:
    yield "## What this does not show"
    yield ""
    yield "- What GHL's own workflows do: its look-alike has none."
    yield "- Triggers of a database server, and tables that the pair file does not name."
    if _share(done) > 1:
        yield "- Whoever was not in the sample: `--people 0` takes everybody."
    yield from (f"- {one}." for one in done.unchecked)
