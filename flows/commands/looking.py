"""history, report and explain: the commands that look at what the ledger and the archive hold."""

from __future__ import annotations

import json as jsons
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.commands.options import Full, Json, PairFile
from flows.commands.printed import print_json
from flows.terminal import Console

if TYPE_CHECKING:
    from flows.config import Pair
    from flows.outcome.past import Evidence
    from flows.outcome.sought import Ends, Sources
    from reconcile.ledger import runs
    from reconcile.ledger.ledger import Ledger


@contextmanager
def open_ledger(pair: Path) -> Iterator[tuple[Pair, Ledger]]:
    """A pair and its ledger, to look at."""
    from flows.config import load
    from reconcile.ledger.ledger import Ledger

    loaded = load(pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    try:
        yield loaded, ledger
    finally:
        ledger.close()


def history(
    *,
    pair: PairFile,
    json: Json = False,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000))] = 20,
    max_age_hours: Annotated[
        float | None, Parameter(help="for monitors: say whether all is well, and exit 0 or 2")
    ] = None,
) -> int:
    """List past runs, newest first.

    When each began, how long it took, what it planned and what was done of it.
    """
    from flows.commands.pastruns import listed, show
    from reconcile.errors import StateError
    from reconcile.ledger import runs

    if max_age_hours is not None and not 0 < max_age_hours <= _MOST_HOURS:
        what = f"a run cannot be {max_age_hours:g} hours old at most"
        raise StateError(
            what, remedy=f"give a number above 0, up to {_MOST_HOURS:,}", code="MINUTES"
        )
    if max_age_hours is not None:
        limit = max(limit, _JUDGED)
    with open_ledger(pair) as (_, ledger):
        rows = runs.runs(ledger, limit=limit)
    if max_age_hours is not None:
        return _judge(rows, timedelta(hours=max_age_hours), as_json=json)
    if json:
        print_json(listed(rows))
    else:
        show(Console(), rows)
    return 0


_MOST_HOURS = 24 * 366 * 10
"""How old the last good run may be at most for a monitor."""

_JUDGED = 200
"""So many runs are searched for the last one that carried something.

Deltas and plans may lie in between.
"""


def _judge(rows: list[runs.RunRow], max_age: timedelta, *, as_json: bool) -> int:
    from flows.clock import now
    from flows.outcome.health import health

    state = health(rows, at=now(), max_age=max_age)
    if as_json:
        jsons.dump(state.document, sys.stdout)
        print()
    else:
        print("; ".join(state.reasons) or f"well: {state.run_id}")
    return 0 if state.well else 2


def report(
    run_id: Annotated[str | None, Parameter(help="default: the newest")] = None,
    /,
    *,
    pair: PairFile,
    json: Json = False,
    full: Full = False,
) -> int:
    """Show a run's report again."""
    from flows.commands.show import tell_paths, tell_run, write_json
    from reconcile.errors import StateError
    from reconcile.report import kept

    with open_ledger(pair) as (loaded, ledger):
        folder = _reported(loaded, ledger, run_id)
    if folder is None:
        raise StateError(
            f"there is no report of run {run_id or '(any)'}",
            remedy="list runs with `history`",
            code="NO_RUN",
        )
    document = kept.of_today(folder / "report.json")
    if json:
        write_json(document)
        return 0
    console = Console()
    tell_run(console, document, pair=pair, full=full)
    tell_paths(console, {"html": folder / "report.html"})
    return 0


def _reported(loaded: Pair, ledger: Ledger, run_id: str | None) -> Path | None:
    """The folder of that run's report, or of the newest report that is still there."""
    from flows.state.imprints import trusted
    from flows.state.stores import runs_folder
    from reconcile.ledger import runs

    if run_id is None:
        names = [row.run_id for row in runs.runs(ledger)]
    else:
        names = [run_id] if runs.find(ledger, run_id=run_id) else []
    for name in names:
        folder = trusted(loaded, ledger, runs_folder(loaded) / name, "report.json")
        if (folder / "report.json").exists():
            return folder
    return None


def explain(
    contact: Annotated[
        str,
        Parameter(name="CONTACT", help="its key on either side, or its email; or a kind of record"),
    ],
    key: Annotated[
        str | None,
        Parameter(name="KEY", help="of a kind of record: the key; else the one field to tell of"),
    ] = None,
    field: Annotated[str | None, Parameter(name="FIELD", help="one field alone")] = None,
    /,
    *,
    pair: PairFile,
    why_not: Annotated[
        bool, Parameter(negative="", help="say why it does not sync, and what to do")
    ] = False,
    as_of: Annotated[
        str | None,
        Parameter(help="what both sides held at that moment: 2026-01-31, or with a time"),
    ] = None,
    full: Annotated[
        bool, Parameter(negative="", help="every write and question, with what was compared")
    ] = False,
    json: Json = False,
) -> int:
    """Say why a record or a value is what it is, or why it does not sync.

    In about ten lines: of each value which run wrote it and why, what keeps it apart, and where to
    look. `explain note 17` asks about a record of another kind than contacts.
    """
    from flows.outcome.sought import sources

    entity, name, field = _meant(contact, key, field)
    with open_ledger(pair) as (loaded, ledger), sources(loaded, ledger) as past:
        if why_not:
            story = _why_not(past, entity, name, field)
        else:
            story = _explained(loaded, past, entity, name, field, as_of=as_of, full=full)
    if json:
        print_json(story)
        return 0
    console = Console()
    for line in story["said"]:
        console.print(line, highlight=False, markup=False, soft_wrap=line.startswith(_PLACES))
    return 0


_PLACES = ("In the app: ", "In GHL: ", "Report: ")
"""How a line begins that has an address, which no width may break."""


def _meant(contact: str, key: str | None, field: str | None) -> tuple[str, str, str | None]:
    """The kind, the key and the field that the words mean: without a kind it is a contact's."""
    from reconcile.entities import OWNER, RECORDS
    from reconcile.errors import StateError

    kinds = [each.value for each in RECORDS]
    if contact in kinds and key is not None:
        return contact, key, field
    if field is not None:
        raise StateError(
            f"there is no kind of record {contact!r}",
            remedy=f"known are {', '.join(kinds)}",
            code="NO_RECORD",
        )
    return OWNER.value, contact, key


def _why_not(sources: Sources, entity: str, name: str, field: str | None) -> dict[str, Any]:
    from flows.outcome.why_not import document, lines, why_not
    from reconcile.model import Entity

    findings = why_not(sources, Entity(entity), name, field)
    said = [line for finding in findings for line in lines(finding)]
    return {"findings": [document(finding) for finding in findings], "said": said}


def _explained(
    loaded: Pair,
    sources: Sources,
    entity: str,
    name: str,
    field: str | None,
    *,
    as_of: str | None,
    full: bool,
) -> dict[str, Any]:
    """The story of the record, or of each that an email means; `said` is what is printed of it."""
    from flows.outcome.brief import brief
    from flows.outcome.sought import Ends, find
    from reconcile.model import Entity

    matches = find(sources, Entity(entity), name)
    stories = []
    for ends in matches or [Ends(name, None)]:
        document = _story(sources, entity, ends, field, seen=bool(matches))
        if as_of is not None:
            document = _at(loaded, sources.ledger, sources.evidence, document, as_of, field)
            stories.append(document | {"said": document["lines"]})
            continue
        short = brief(sources, Entity(entity), ends, field)
        if full:
            said = document["lines"]
        else:
            said = list(short.lines)
            if field is not None:  # of one value every write fits on a screen
                said += document["write_lines"]
        stories.append(document | short.document | {"said": said})
    said = [line for story in stories for line in story["said"]]
    first, *others = stories
    whole = first | {"said": said}
    if others:
        whole["others"] = others
    return whole


def _story(
    sources: Sources, entity: str, ends: Ends, field: str | None, *, seen: bool
) -> dict[str, Any]:
    """What the ledger knows of a record; of one that an archive alone has `seen`, nothing."""
    from flows.outcome.explain import explanation
    from reconcile.errors import StateError

    try:
        return explanation(sources.ledger, entity, ends.any, field, evidence=sources.evidence)
    except StateError:
        if not seen or field is not None:
            raise
    nothing: dict[str, Any] = {
        "link": None,
        "writes": [],
        "holds": [],
        "write_lines": [],
        "lines": [],
    }
    return {"entity": entity, "key": ends.any, **nothing}


def _at(
    loaded: Pair,
    ledger: Ledger,
    evidence: Evidence,
    story: dict[str, Any],
    as_of: str,
    field: str | None,
) -> dict[str, Any]:
    """The story up to a moment, with what each side held then."""
    from flows.outcome.explain import explanation
    from flows.outcome.past import lines_at, moment_of, values_at
    from flows.outcome.sought import newest_manifest
    from reconcile.model import Entity
    from reconcile.stage.archive import TOLD

    at = moment_of(as_of)
    then = newest_manifest(evidence, ledger)
    located = loaded.located(*(then.get(name) for name in TOLD))
    whole = explanation(ledger, story["entity"], story["key"], None)
    entity = Entity(story["entity"])
    values = values_at(ledger, evidence, located, entity=entity, story=whole, at=at)
    lines = lines_at(values, at, field)
    before = []
    for write, line in zip(story["writes"], story["write_lines"], strict=True):
        if write["at"] and write["at"] <= at:
            before.append(write)
            lines.append(line)
    return {**story, "as_of": at, "held": values, "writes": before, "lines": lines}
