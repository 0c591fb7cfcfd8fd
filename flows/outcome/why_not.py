"""Why a record, or a value of it, does not sync: from the ledger, the archives and the reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from flows.outcome.explain import explanation
from flows.outcome.reasons import AT_SOURCE, Reason, of_hold, of_values
from flows.outcome.sought import Ends, Seen, Sources, find, seen_by_side
from reconcile.entities import OWNER
from reconcile.errors import StateError
from reconcile.ledger import runs, schema, tombstones
from reconcile.link.identity import match_rules
from reconcile.model import Entity, Side
from reconcile.report.remedies import remedy
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Filter as Exclusion


@dataclass(frozen=True, slots=True)
class Finding:
    """What keeps one thing from being in sync; without `reasons`, nothing does.

    `seen` says for each side that was read for it by which run, and up to when.
    """

    entity: Entity
    ends: Ends
    reasons: tuple[Reason, ...]
    seen: tuple[tuple[Side, str, str], ...]


def why_not(sources: Sources, entity: Entity, name: str, field: str | None = None) -> list[Finding]:
    """Why what `name` means (a key of either side, a contact's email) does not sync.

    A finding for each record that it may mean: more than one may have an email. `field` asks for
    one value alone. Raises StateError for a kind that the pair does not map, and for a field that
    it does not.
    """
    if entity not in sources.mapping:
        kinds = ", ".join(each.entity.value for each in sources.mapping.entities)
        raise StateError(
            f"the pair file maps no {entity.plural}: none is read or written",
            remedy=f"mapped are {kinds}; add [{entity}.fields] to have them carried",
            code="NO_RECORD",
        )
    mapped = sources.mapping[entity]
    known = [each.name for each in mapped.fields]
    if field is not None and field not in known:
        raise StateError(
            f"the pair file maps no field {field!r} of {entity.plural}, so it is never carried",
            remedy=f"mapped are {', '.join(known)}; add a line for it to [{entity}.fields]",
            code="NO_RECORD",
        )
    records = find(sources, entity, name)
    if not records:
        return [Finding(entity, Ends(None, None), tuple(_nowhere(sources, mapped, name)), ())]
    return [_finding(sources, mapped, ends, field) for ends in records]


def _finding(sources: Sources, mapped: EntityMap, ends: Ends, field: str | None) -> Finding:
    seen = seen_by_side(sources, mapped.entity, ends)
    if ends.link_id is None:
        reasons = list(_single(sources, mapped, ends, seen)) or [_UNEXPLAINED]
    else:
        reasons = list(_linked(sources, mapped, ends))
    if field is not None:
        reasons = [each for each in reasons if not each.fields or field in each.fields]
    if not ends.link_id or any(not each.well for each in reasons):
        reasons += _of_the_run(sources)
    read = tuple((side, last.run.run_id, last.snapshot.taken_at) for side, last in seen.items())
    return Finding(mapped.entity, ends, tuple(dict.fromkeys(reasons)), read)


_UNEXPLAINED = Reason(
    "unexplained",
    "no rule, write or question on record accounts for it",
    "run, and ask again; where it stays so, report it: this is a fault of the job",
)

# a linked record ----------------------------------------------------------------------------------


def _linked(sources: Sources, mapped: EntityMap, ends: Ends) -> Iterator[Reason]:
    ledger, evidence = sources.ledger, sources.evidence
    story = explanation(ledger, mapped.entity.value, ends.any, None, evidence=evidence)
    for hold in story["holds"]:
        if hold["open"] and not hold.get("field"):  # those of a field come with its value
            yield of_hold(hold)
    yield from _missing(sources, mapped, ends)
    yield from filter(_matters, of_values(sources, mapped, ends, story))


def _matters(reason: Reason) -> bool:
    """Whether a person who asks why something does not sync wants to hear it."""
    return not reason.well or reason.kind == "by_rule"


def _missing(sources: Sources, mapped: EntityMap, ends: Ends) -> Iterator[Reason]:
    """An end that complete runs did not see, until it counts as deleted."""
    table = schema.link
    query = sa.select(table.c.app_absent, table.c.ghl_absent).where(
        table.c.pair == sources.ledger.pair,
        table.c.entity == mapped.entity.value,
        table.c.link_id == ends.link_id,
    )
    with sources.ledger.engine.connect() as connection:
        absent = connection.execute(query).one()
    for side, times in zip((Side.APP, Side.GHL), absent, strict=True):
        if not times:
            continue
        runs_ = "run" if times == 1 else "runs"
        says = (
            f"it was missing from {side.label} in {times:,} complete {runs_} in a row; from "
            f"{mapped.absent_runs:,} on it counts as deleted there"
        )
        yield Reason("quarantined", says, "bring it back there, or wait: each run looks again")


# a record without a counterpart -------------------------------------------------------------------


def _single(
    sources: Sources, mapped: EntityMap, ends: Ends, seen: dict[Side, Seen]
) -> Iterator[Reason]:
    side = Side.APP if ends.app is not None else Side.GHL
    key = ends.any
    yield from _questions(sources, mapped, ends)
    last = seen.get(side)
    if last is None:
        yield from _erased(sources, [(mapped.entity.value, side.value, key)])
        yield Reason("never_read", f"no run whose archive is left has read {side.label}", _RUN)
        return
    if last.deleted:
        says = f"it is marked as deleted in {side.label}"
        yield Reason("deleted", says, "take the mark away there", run_id=last.run.run_id)
    elif last.record is None:
        yield from _not_there(sources, mapped, side, key, last)
    else:
        yield from _passed(mapped, side, key, last)
        yield from _planned(sources, side, key, last)


_RUN = "run, or `plan` to look first"


def _questions(sources: Sources, mapped: EntityMap, ends: Ends) -> Iterator[Reason]:
    try:
        story = explanation(sources.ledger, mapped.entity.value, ends.any, None)
    except StateError:
        return  # it was never asked about, nor written
    yield from (of_hold(hold) for hold in story["holds"] if hold["open"])


def _not_there(
    sources: Sources, mapped: EntityMap, side: Side, key: str, last: Seen
) -> Iterator[Reason]:
    """It was known, and the newest run that read the side did not see it."""
    yield from _erased(sources, [(mapped.entity.value, side.value, key)])
    for sentence in last.snapshot.quarantined:
        if key in sentence:
            yield Reason("unreadable", sentence, AT_SOURCE, run_id=last.run.run_id)
    if last.whole:
        says = (
            f"{side.label} did not have it when run {last.run.run_id} read it whole: it is gone, "
            "or what the pair file says of that side (a view, a filter, a tenant) leaves it out"
        )
        yield Reason("absent", says, "look for it there", run_id=last.run.run_id)
    else:
        why = last.snapshot.why_incomplete or "it looked at a part alone"
        says = f"run {last.run.run_id} did not read {side.label} far enough: {why}"
        yield Reason("not_read", says, "do a full run", run_id=last.run.run_id)


def _passed(mapped: EntityMap, side: Side, key: str, last: Seen) -> Iterator[Reason]:
    """Why the run that saw it made no counterpart."""
    if not last.archived.has("passed"):
        return
    query = f"SELECT class, because FROM {last.archived.relation('passed')} "
    query += "WHERE entity = ? AND side = ? AND key = ?"
    values = [mapped.entity.value, side.value, key]
    for kind, because in last.archived.sql.execute(query, values).fetchall():
        if kind in ("ambiguous", "duplicate", "erased", "required"):  # a question says it
            continue
        says = str(because)
        what = _LEFT_OUT.get(kind, "")
        if kind == "excluded" and says.startswith("decided by"):
            what = "change the record at its source: it is looked at anew then"
        elif kind == "excluded":
            says += _by_rule(mapped, side, last)
        yield Reason(str(kind), says, what, run_id=last.run.run_id)


def _by_rule(mapped: EntityMap, side: Side, last: Seen) -> str:
    """Which rule leaves it out, as the end of a sentence."""
    rule = _rule(mapped, side, last)
    if rule is None:
        return ""
    compares = "is not one of" if rule.negated else "is one of"
    return f": {rule.field} {compares} {_words(rule)}"


_LEFT_OUT = {
    "excluded": (
        "change the rule in the pair file (`exclude`, `create`, a constant), if it is to go"
    ),
    "apart": "nothing, unless its contact is to be carried: that is what decides",
    "unsyncable": (
        "fill or correct the value at its source; of a contact, see why that is not linked"
    ),
    "not_checked": "do a full run, and see in its report why the other side was not read whole",
}


def _rule(mapped: EntityMap, side: Side, last: Seen) -> Exclusion | None:
    """The rule that leaves a record out, as it was when it was read."""
    cells = last.record.cells(mapped, side) if last.record else {}
    for rule in mapped.filters:
        if (cells.get(rule.field) in rule.values) != rule.negated:
            return rule
    return None


def _words(rule: Exclusion) -> str:
    return ", ".join("blank" if value is None else repr(value) for value in rule.values)


def _planned(sources: Sources, side: Side, key: str, last: Seen) -> Iterator[Reason]:
    """A counterpart that the run planned, and what became of it."""
    archived, row = last.archived, last.run
    if not archived.has("planned"):
        return
    planned = f"{archived.relation('planned')} AS p"
    cells = "NULL, '', ''"
    if archived.has("outcome"):  # a run that only planned has none
        planned += f" LEFT JOIN {archived.relation('outcome')} AS o USING (op_id)"
        cells = "o.status, o.code, o.detail"
    query = f"SELECT p.because, {cells} FROM {planned} "
    query += "WHERE p.kind = 'create' AND p.entity = ? AND p.side = ? AND p.source_key = ?"
    values = [last.snapshot.entity.value, side.other.value, key]
    across = side.other.label
    for because, status, code, detail in archived.sql.execute(query, values).fetchall():
        if status == "done":
            continue
        if status is None:
            says, what = _not_carried_out(sources, row)
            says = f"to be made in {across} ({because}), but {says}"
            yield Reason("pending", says, what, run_id=row.run_id)
            continue
        known = remedy(str(code))
        says = f"it was not made in {across}. {known.meaning}"
        if detail:
            says += f" {detail}"
        yield Reason(str(status), says, known.remedy, run_id=row.run_id)


def _not_carried_out(sources: Sources, row: runs.RunRow) -> tuple[str, str]:
    """Why a run carried nothing of it out, and what to do."""
    report = sources.report(row.run_id) or {}
    if row.state == "planned":
        return f"run {row.run_id} only planned", f"`apply {row.plan_digest}`, or run"
    if row.state == "refused":
        return f"run {row.run_id} was refused: {report.get('refusal') or 'see its report'}", _ALLOW
    said = f"run {row.run_id} ended before its turn"
    stopped = report.get("stopped")
    if stopped:
        said += f": {stopped}"
    return said, "run again: it goes on where that one ended"


_ALLOW = "if the plan is right, run again with the flag that its report names; or raise the limit"


# what is nowhere, and the run as a whole ----------------------------------------------------------


def _nowhere(sources: Sources, mapped: EntityMap, name: str) -> Iterator[Reason]:
    """Of a name under which nothing is kept."""
    folded = name.lower()
    traits = [(mapped.entity.value, side.value, name) for side in Side]
    traits += [(mapped.entity.value, rule.name, folded) for rule in match_rules(mapped)]
    erased = list(_erased(sources, traits))
    yield from erased
    rows = sources.rows()
    if not rows:
        yield Reason("never_read", "no run has read this pair yet", _RUN)
    elif not erased:
        what = "key, or email" if mapped.entity is OWNER else "key"
        says = f"no run that is still archived saw {mapped.entity.indefinite} with that {what}"
        yield Reason("absent", says, "look at how it is spelt, and whether a side shows it at all")
    yield from _of_the_run(sources)


def _erased(sources: Sources, traits: Iterable[tuple[str, str, str]]) -> Iterator[Reason]:
    named = list(traits)
    for _, salt, mark in tombstones.read(sources.ledger):
        if any(tombstones.digest(salt, each) == mark for each in named):
            says = "somebody with that key or identity was erased with `erase`, and nothing is kept"
            yield Reason("erased", says, _AGAIN)
            return


_AGAIN = (
    "where one side has the person again, a run asks about it; where both have, it links the two"
)


def _of_the_run(sources: Sources) -> Iterator[Reason]:
    """What the newest run says for everything."""
    row = next(iter(runs.runs(sources.ledger, limit=1)), None)
    if row is None or row.state in ("settled", "audit", "recovered"):
        return
    if row.state in ("planned", "refused"):
        said, what = _not_carried_out(sources, row)
        yield Reason(row.state, f"the newest of all: {said}", what, run_id=row.run_id)
        return
    report = sources.report(row.run_id) or {}
    why = report.get("stopped") or report.get("refusal") or "see its report"
    said = _STATES.get(row.state, f"is {row.state}")
    yield Reason(row.state, f"the newest run {row.run_id} {said}: {why}", "run", run_id=row.run_id)


_STATES = {
    "failed": "failed before it came to a plan",
    "stopped": "was stopped before its end",
    "running": "has not ended, or was killed",
    "applying": "has not ended, or was killed",
}


# as lines and as JSON -----------------------------------------------------------------------------


def lines(finding: Finding) -> list[str]:
    """A finding in sentences, each reason with what to do."""
    said = []
    if finding.ends.any:
        said.append(f"{finding.entity} {finding.ends.words}:")
    said += [f"- {_sentence(reason)}" for reason in finding.reasons]
    if not finding.reasons:
        said.append("- nothing keeps it: every mapped value is the same on both sides")
    by_run: dict[str, list[str]] = {}
    for side, run_id, at in finding.seen:
        minute = at[:16].replace("T", " ")
        by_run.setdefault(run_id, []).append(f"{side.label} at {minute} UTC")
    said += [f"  as run {run_id} read {' and '.join(sides)}" for run_id, sides in by_run.items()]
    return said


def _sentence(reason: Reason) -> str:
    sentence = reason.says
    if reason.fields:
        sentence = f"{', '.join(reason.fields)}: {sentence}"
    if reason.remedy:
        sentence += f" → {reason.remedy}"
    return sentence


def document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "entity": finding.entity.value,
        "app_key": finding.ends.app,
        "ghl_key": finding.ends.ghl,
        "reasons": [
            {
                "kind": reason.kind,
                "fields": list(reason.fields),
                "says": reason.says,
                "remedy": reason.remedy,
                "run_id": reason.run_id,
                "hold_id": reason.hold_id,
                "values": [list(both) for both in reason.values],
            }
            for reason in finding.reasons
        ],
        "seen": [
            {"side": side.value, "run_id": run_id, "at": at} for side, run_id, at in finding.seen
        ],
    }
