"""Why each value of a linked record is what it is: the last thing that happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from flows.outcome.sought import Ends, Sources, seen_by_side
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, OpKind, Side, Status
from reconcile.report.classes import AGREED, VALUES_BY_NAME
from reconcile.report.remedies import remedy
from reconcile.values.mapping import EntityMap, Field

Story = Mapping[str, Any]
"""What `explanation` says of a record."""

Both = tuple[Cell, Cell]
"""A value in the app and in GHL."""

AT_SOURCE = "correct the value at its source"
ANSWER = "answer it: `review {hold}`"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is.

    `kind` is one word that stays the same: of what is well, `same`, `blank`, `written`, `edited` or
    `by_rule`; any other keeps something from being in sync. `says` is a sentence, `remedy` what to
    do about it, empty where nothing is to be done. `fields` are what it is about: none means the
    whole record; `values` are theirs in the app and in GHL. `run_id`, `hold_id`: which run or
    question says so.
    """

    kind: str
    says: str
    remedy: str = ""
    fields: tuple[str, ...] = ()
    run_id: str | None = None
    hold_id: str | None = None
    values: tuple[Both, ...] = ()

    @property
    def well(self) -> bool:
        """Whether it keeps nothing from being in sync."""
        return self.kind in WELL


WELL = frozenset(("same", "blank", "written", "edited", "by_rule"))


def of_values(sources: Sources, mapped: EntityMap, ends: Ends, story: Story) -> list[Reason]:
    """For each mapped field of a linked record, in order, why its value is what it is."""
    known = _Known(
        story,
        differences=_differences(sources.ledger, mapped.entity.value, str(ends.link_id)),
        listed=_listed(sources, mapped, ends, story["writes"]),
    )
    return [known.reason(field) for field in mapped.fields]


@dataclass(frozen=True, slots=True)
class _Known:
    """What ledger and report say of one linked record.

    `differences` are the rows of the ledger's register, `listed` those of the report, by field.
    """

    story: Story
    differences: Sequence[Mapping[str, Any]]
    listed: Mapping[str, tuple[str, Mapping[str, Any]]]

    def reason(self, field: Field) -> Reason:
        """Why one value is what it is: what keeps it apart before what made it so."""
        reason = (
            self._asked(field.name)
            or self._differs(field.name)
            or self._failed(field.name)
            or self._told(field.name)
            or self._made(field)
        )
        both = reason.values or (self._cells(field.name),)
        return replace(reason, fields=(field.name,), values=both)

    def _cells(self, name: str) -> Both:
        shown = self.story["link"]["last_shown"]
        return shown["app"].get(name), shown["ghl"].get(name)

    def _asked(self, name: str) -> Reason | None:
        """An open question about the field."""
        for hold in self.story["holds"]:
            if hold["open"] and (hold.get("field") or "").partition(": ")[0] == name:
                return of_hold(hold)
        return None

    def _differs(self, name: str) -> Reason | None:
        """A difference that the ledger remembers, as long as both sides show what they did then."""
        app, ghl = self._cells(name)
        for row in self.differences:
            if row["field"] != name:
                continue
            stored, sent = (app, ghl) if row["side"] == Side.APP else (ghl, app)
            # Of a set, a difference is about one element, and says nothing of the whole value.
            if row["item"] or (row["sent"], row["stored"]) == (sent, stored):
                return _remembered(row)
        return None

    def _failed(self, name: str) -> Reason | None:
        """A write of it that came to nothing, where no later one was carried out."""
        writes = [write for write in self.story["writes"] if name in write["changed"]]
        if not writes or writes[-1]["status"] == Status.DONE:
            return None
        return came_to_nothing(writes[-1])

    def _told(self, name: str) -> Reason | None:
        """What the newest report that knows the record says of the value."""
        if name not in self.listed:
            return None
        run_id, row = self.listed[name]
        kind = str(row["class"])
        because = str(row["because"] or VALUES_BY_NAME[kind].meaning)
        what = "" if kind in AGREED else _REMEDIES.get(kind, "")
        values: tuple[Both, ...] = ()
        if row["field"]:  # else the row is about the whole record
            values = ((row["app"], row["ghl"]),)
        return Reason(kind, because, what, run_id=run_id, values=values)

    def _made(self, field: Field) -> Reason:
        """Of a value that is the same on both sides: the write that made it so."""
        app, ghl = self._cells(field.name)
        writes = [write for write in self.story["writes"] if field.name in write["changed"]]
        done = [write for write in writes if write["status"] == Status.DONE]
        if done and _stands(done[-1], field.name, app, ghl):
            return _written(done, field.name)
        if app != ghl:
            return _apart(field)
        if done:
            says = "edited since this job last wrote it, on both sides alike"
            return Reason("edited", says, run_id=done[-1]["run_id"])
        if app is None:
            return Reason("blank", "blank on both sides")
        return Reason("same", "the same on both sides, and never written by this job")


def _remembered(row: Mapping[str, Any]) -> Reason:
    """A difference of the ledger's register, with what to do unless it is as a rule wants."""
    kind = row["kind"]
    says = f"{_MEANS[kind].format(side=Side(row['side']).label)}: {row['because']}"
    if kind in ("accepted", "undone"):
        return Reason("by_rule", says, run_id=row["run_id"])
    what = remedy(row["code"]).remedy if row["code"] else ""
    return Reason(kind, says, what, run_id=row["run_id"])


_MEANS = {
    "rejected": "{side} refused it",
    "dropped": "{side} took it and stores another value",
    "accepted": "left so by an answer",
    "undone": "left so by an undo",
}

_REMEDIES = {
    "unreadable": AT_SOURCE,
    "held": "answer the question about it: `review`",
    "pending": "run again: it is due, and not written yet",
    "rejected": "read what the side answered: `explain CONTACT FIELD`",
    "dropped": remedy("VALUE_DROPPED").remedy,
    "not_read": "run again; where it stays so, raise the budget, or let the side be read whole",
    "unexplained": "report it: this is a fault of the job",
}


def of_hold(hold: Mapping[str, Any]) -> Reason:
    """A question that is open; of one that was answered, the answer waits for the next run."""
    # One about an element of a set names the element after the field.
    field = (hold.get("field") or "").partition(": ")[0]
    fields = (field,) if field else ()
    shown = hold.get("values") or {}
    values: tuple[Both, ...] = ()
    if {"app", "ghl"} <= set(shown):
        values = ((_text(shown["app"]), _text(shown["ghl"])),)
    can = AT_SOURCE
    if hold.get("options"):
        can = ANSWER.format(hold=hold["hold_id"])
    reason = Reason(hold["kind"], hold["because"], can, fields, None, hold["hold_id"], values)
    if not hold["decision"]:
        return reason
    says = f"{hold['because']}; answered {hold['decision']} by {hold['decided_by']}"
    return replace(reason, kind="answered", says=says, remedy="run: it is carried out then")


def _text(value: object) -> Cell:
    if value is None:
        return None
    return str(value)


def came_to_nothing(write: Mapping[str, Any]) -> Reason:
    """A write that a side refused, or that was not carried out."""
    known = remedy(write["code"])
    status = write["status"]
    where = Side(write["side"]).label
    says = f"a write to {where} was {_ENDS.get(status, status)}. {known.meaning}"
    if write["detail"]:
        says += f" {write['detail']}"
    kind = str(status).replace(" ", "_")
    return Reason(kind, says, known.remedy, run_id=write["run_id"])


_ENDS = {
    Status.REJECTED: "refused",
    Status.STALE: "left out",
    Status.SKIPPED: "not carried out",
    Status.UNCERTAIN: "not answered",
    "in doubt": "begun and not answered",
}


def _stands(write: Mapping[str, Any], name: str, app: Cell, ghl: Cell) -> bool:
    """Whether the side still shows what that write left; of tags, a write is no whole value."""
    if write["kind"] in (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS):
        return app == ghl
    sent = write["changed"][name][1]
    now = app if write["side"] == Side.APP else ghl
    return now in (sent, (write["stored"] or {}).get(name, sent))


def _written(done: Sequence[Mapping[str, Any]], name: str) -> Reason:
    """The last write, why it was made, and how many there were before."""
    last = done[-1]
    verb = "made" if last["kind"] == OpKind.CREATE else "written"
    where = Side(last["side"]).label
    day = str(last["at"])[:10]
    compared = [row["because"] for row in last.get("situation", ()) if row["field"] == name]
    because = "; ".join(dict.fromkeys(compared)) or last["because"]
    says = f"{verb} in {where} on {day} by run {last['run_id']}: {because}"
    if len(done) > 1:
        says += f" (after {len(done) - 1:,} earlier)"
    return Reason("written", says, run_id=last["run_id"])


def _apart(field: Field) -> Reason:
    """Two values that differ, with nothing on record but the rule."""
    owner = field.rule.flow.owner
    if owner is not None:
        says = f"it flows from {owner.label} alone, and was not due in the runs that are archived"
        return Reason("by_rule", says)
    says = (
        "the two sides differed when they were last compared, and no archive that is left says why"
    )
    return Reason("unexplained", says, "run, and ask again")


def _differences(ledger: Ledger, entity: str, link_id: str) -> list[dict[str, Any]]:
    table = schema.difference
    query = sa.select(table).where(
        table.c.pair == ledger.pair, table.c.entity == entity, table.c.link_id == link_id
    )
    with ledger.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _listed(
    sources: Sources, mapped: EntityMap, ends: Ends, writes: Iterable[Mapping[str, Any]]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What the report says of the record's values that are not equal, with its run, by field.

    It is that of the run that last saw the record; of what was written since, it says nothing.
    """
    seen = seen_by_side(sources, mapped.entity, ends)
    if not seen:
        return {}
    row = max((last.run for last in seen.values()), key=lambda run: run.started_at)
    report = sources.report(row.run_id) or {}
    ended = str(report.get("ended_at") or row.ended_at or "")
    since = _written_after(writes, ended)
    listed: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for each in report.get("values", {}).get("listed", ()):
        if each["entity"] != mapped.entity or not _is(each, ends):
            continue
        if each["class"] in ("equal", "carried"):
            continue
        fields = [each["field"]]
        if not each["field"]:  # the row is about the whole record
            fields = [one.name for one in mapped.fields]
        for field in fields:
            if field not in since:
                listed.setdefault(field, (row.run_id, each))
    return listed


def _written_after(writes: Iterable[Mapping[str, Any]], moment: str) -> set[str]:
    """The fields that writes changed since a moment."""
    fields: set[str] = set()
    for write in writes:
        if write["status"] == Status.DONE and str(write["at"] or "") > moment:
            fields |= write["changed"].keys()
    return fields


def _is(row: Mapping[str, Any], ends: Ends) -> bool:
    return (row["app_key"], row["ghl_key"]) == (ends.app, ends.ghl)


# in ten lines -------------------------------------------------------------------------------------


_LINES = 7
"""So many lines are about values; what is alike in one run stands on one."""


def label(mapped: EntityMap, story: Story) -> str:
    """The record's name, of the fields that hold one; empty where it has none."""
    from reconcile.values.codecs import Name

    shown = (story["link"] or {}).get("last_shown", {})
    cells = {**shown.get("ghl", {}), **shown.get("app", {})}
    names = [field.name for field in mapped.fields if isinstance(field.codec, Name)]
    return " ".join(str(cells[name]) for name in names if cells.get(name))


def value_lines(reasons: Iterable[Reason]) -> Iterator[str]:
    """The reasons in a few lines: what keeps a value apart first, what is alike together."""
    groups = sorted(_together(reasons), key=lambda each: (each.well, _ORDER.get(each.kind, 0)))
    for reason in groups[:_LINES]:
        line = f"{_named(reason)}: {reason.says}"
        if reason.remedy:
            line += f" → {reason.remedy}"
        yield line
    rest = [name for reason in groups[_LINES:] for name in reason.fields]
    if rest:
        yield f"And {', '.join(rest)}: ask for one of them, or for all with --full."


_ORDER = {"written": 1, "by_rule": 2, "edited": 3, "same": 4, "blank": 5}


def _together(reasons: Iterable[Reason]) -> Iterator[Reason]:
    """Reasons that say the same as one, of all their fields."""
    groups: dict[Reason, list[Reason]] = {}
    for reason in reasons:
        groups.setdefault(replace(reason, fields=(), values=()), []).append(reason)
    for said, alike in groups.items():
        fields = tuple(name for each in alike for name in each.fields)
        values = tuple(both for each in alike for both in each.values)
        yield replace(said, fields=fields, values=values)


def _named(reason: Reason) -> str:
    """The fields of a reason; one or two with their values."""
    if reason.kind in ("same", "blank") or len(reason.fields) > 2:
        return ", ".join(reason.fields)
    shown = zip(reason.fields, reason.values, strict=True)
    return "; ".join(f"{name} {_both(*both)}" for name, both in shown)


def _both(app: Cell, ghl: Cell) -> str:
    if app == ghl:
        return _value(app)
    return f"{_value(app)} in the app, {_value(ghl)} in GHL"


def _value(cell: Cell) -> str:
    if cell is None:
        return "blank"
    return f"“{cell}”"
