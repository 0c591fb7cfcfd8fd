"""The changes and the questions of a run on a terminal.

Grouped, value by value, wrapped to its width and never cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.terminal import Console
from reconcile.entities import SPECS
from reconcile.model import Entity, OpKind, Side
from reconcile.plan.dependants import words as along_words
from reconcile.plan.plan import LEDGER_ONLY

FIRST = 10
"""How many of each group are listed, unless all are wanted."""

_LONGEST = 60
"""How many characters of a value are shown, unless all is wanted."""

_MAIN = 4
"""How many fields of a new record are shown, unless all are wanted."""

Change = Map[str, Any]
Key = tuple[Entity, Side, str]
"""A group: what it is about, where, and what is done."""

_VERBS = {
    OpKind.CREATE: ("{} to create", "{} created", "+"),
    OpKind.UPDATE: ("{} to update", "{} updated", "~"),
    OpKind.COMPLETE: ("{} to update", "{} updated", "~"),
    OpKind.ADD_TAGS: ("tags to add to {}", "tags added to {}", "~"),
    OpKind.REMOVE_TAGS: ("tags to remove from {}", "tags removed from {}", "~"),
    OpKind.ARCHIVE: ("{} to archive", "{} archived", "-"),
    OpKind.DELETE: ("{} to delete", "{} deleted", "-"),
}
_PAST = {present: past for present, past, _ in _VERBS.values()}
_ENTITIES = tuple(SPECS)
_ORDER = list(_PAST)
_STYLES = {"+": "green", "~": "cyan", "-": "red", "?": "yellow"}
_PLAIN = "not bold"
_DIM = "not bold dim"
_FINE = ("done", "planned")


@dataclass(slots=True)
class _Group:
    count: int = 0
    """Writes: a record that gets two of them is listed twice."""
    records: int = 0
    done: int = 0
    """Records to which at least one of their writes was done."""
    first: list[Change] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    """Why: two of the reasons at most, as one alone is told once for all."""

    @property
    def because(self) -> str:
        """The one reason of a group of several, of which nothing else need be said."""
        if self.count > 1:
            return next(iter(self.reasons))
        return ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A change or a question: its sign, its first line, and those beneath."""

    sign: str
    head: Text
    lines: list[Text] = field(default_factory=list)


def changes(console: Console, entries: Sequence[Change], *, full: bool = False) -> None:
    """Every group of operations, each with its first ones, or with all."""
    groups = _groups(entries)
    for key in sorted(groups, key=_place):
        group = groups[key]
        console.print()
        console.print(_title(key, group))
        shared = group.because if len(group.reasons) == 1 else ""
        if shared:
            console.print(Padding(Text(shared, style="dim"), (0, 0, 0, 2)))
        # All of a large group do not fit in memory: they are gone through once more, from their
        # file.
        listed = _of(entries, key) if full else group.first
        for change in listed:
            _print(console, _change(change, full=full), why="" if shared else _because(change))
        if not full and group.count > FIRST:
            _more(console, group.count - FIRST, "--full lists them all, and so does the report")


def _groups(entries: Sequence[Change]) -> dict[Key, _Group]:
    from reconcile.report.tally import Records, Sieve
    from reconcile.report.totals import DONE

    groups: dict[Key, _Group] = {}
    repeated = Sieve.of(entries)
    planned, done = Records(repeated), Records(repeated)
    for change in entries:
        if OpKind(change["kind"]) in LEDGER_ONLY:
            continue
        group = groups.setdefault(_key(change), _Group())
        group.count += 1
        group.records += planned.new(change)
        if change["status"] in DONE:
            group.done += done.new(change)
        if len(group.reasons) < 2:
            group.reasons.add(_because(change))
        if len(group.first) < FIRST:
            group.first.append(change)
    return groups


def _key(change: Change) -> Key:
    return Entity(change["entity"]), Side(change["side"]), _VERBS[OpKind(change["kind"])][0]


def _of(entries: Iterable[Change], key: Key) -> Iterator[Change]:
    for change in entries:
        if OpKind(change["kind"]) not in LEDGER_ONLY and _key(change) == key:
            yield change


def _place(key: Key) -> tuple[int, int, int]:
    entity, side, verb = key
    return _ENTITIES.index(entity), list(Side).index(side), _ORDER.index(verb)


def _title(key: Key, group: _Group) -> Text:
    """Contacts in GHL: 8 to update; afterwards: 8 updated, or 7 of 8 updated."""
    entity, side, verb = key
    name = entity.record.plural.capitalize()
    many = f"{group.records:,}"
    words = verb.format(many)
    if group.first[0]["status"] != "planned":
        if group.done < group.records:
            many = f"{group.done:,} of {many}"
        words = _PAST[verb].format(many)
    if group.count > group.records:
        words += f", in {group.count:,} writes"
    return Text(f"{name} in {side.label}: {words}", style="bold")


def _print(console: Console, entry: _Entry, *, why: str) -> None:
    """One entry: its sign, and lines that hang beneath one another where they are wrapped."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row(Text(entry.sign, style=_STYLES[entry.sign]), entry.head)
    for line in [*entry.lines, Text(why, style="dim")]:
        if line:
            table.add_row("", Padding(line, (0, 0, 0, 2)))
    console.print(Padding(table, (0, 0, 0, 2)))


def _more(console: Console, count: int, way: str) -> None:
    console.print(Text(f"    … and {count:,} more: {way}", style="dim"))


def _change(change: Change, *, full: bool) -> _Entry:
    sign = _VERBS[OpKind(change["kind"])][2]
    side = Side(change["side"])
    name = str(change["label"])
    head = Text(name, style="bold")
    head.append(f" ({side.label})", style=_DIM)
    under = change["under"]
    if under and under != name:
        head.append(f" of {under}", style=_PLAIN)
    parts = _values(change, full=full)
    # One field stands beside the name, as most changes are of one; several get a line each.
    if len(parts) == 1:
        head.append("  ")
        head.append_text(parts.pop())
    return _Entry(sign, head, [*parts, *_status(change)])


def _values(change: Change, *, full: bool) -> list[Text]:
    match OpKind(change["kind"]):
        case OpKind.CREATE:
            return [_main_fields(change, full=full)]
        case OpKind.DELETE | OpKind.ARCHIVE:
            along = along_words(change.get("along") or {})
            if not along:
                return []
            return [Text(f"with {along}", style="not bold red")]
        case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
            return [_tags(each, full=full) for each in change["fields"]]
        case _:
            return [_from_to(each, full=full) for each in change["fields"]]


def _main_fields(change: Change, *, full: bool) -> Text:
    """The first fields of a new record that its name does not say already."""
    named = str(change["label"])
    filled = [each for each in change["fields"] if each["after"] not in (None, "")]
    telling = [each for each in filled if not _says(named, str(each["after"]))]
    first = filled if full else telling[:_MAIN]
    line = Text(style=_PLAIN)
    comma = ""
    for each in first:
        value = quoted(each["after"], full=full)
        line.append(f"{comma}{each['field']} ")
        line.append(value, style="green")
        comma = ", "
    more = len(telling) - len(first)
    if more > 0:
        line.append(f" and {more} more", style="dim")
    return line


def _says(name: str, value: str) -> bool:
    """Whether a record's name says the value.

    It is made of some of its values, and of a note's beginning.
    """
    words = " ".join(value.split())
    return words in name or words.startswith(name)


def _tags(each: Map[str, Any], *, full: bool) -> Text:
    added = quoted(each["after"], full=full)
    line = Text(f"added: {added}", style=_PLAIN)
    if each["after"] is None:
        removed = quoted(each["before"], full=full)
        line = Text(f"removed: {removed}", style=_PLAIN)
    return line


def _from_to(each: Map[str, Any], *, full: bool) -> Text:
    before = quoted(each["before"], full=full)
    after = quoted(each["after"], full=full)
    line = Text(f"{each['field']}: ", style=_PLAIN)
    line.append(before, style="red")
    line.append(" → ")
    line.append(after, style="green")
    if "stored" in each:
        stored = quoted(each["stored"], full=full)
        line.append(f", but stored as {stored}", style="red")
    return line


def quoted(value: object, *, full: bool = False) -> str:
    """A value as it is told from words.

    In quotation marks, line ends written out, a long one shortened.
    """
    if value is None or value == "":
        return "blank"
    text = str(value)
    if not full and len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return json.dumps(text, ensure_ascii=False)


def _because(change: Change) -> str:
    """Why, without the name of the field or the tags where they stand beside it anyway."""
    why = str(change["because"] or "")
    if len(change["fields"]) == 1:
        only = change["fields"][0]
        for said in (only["field"], only["after"], only["before"]):
            why = why.removeprefix(f"{said}: ")
    return why


def _status(change: Change) -> list[Text]:
    """What became of it, where that is not what was planned."""
    if change["status"] in _FINE:
        return []
    words = f"[{change['status'].replace('_', ' ')}]"
    why = change["detail"] or change["code"]
    if why:
        words += f" {why}"
    return [Text(words, style="bold red")]


def questions(console: Console, holds: Sequence[Map[str, Any]], *, pair: str, full: bool) -> None:
    """The first questions for a person, each with both values, and the way to the rest."""
    if not holds:
        return
    console.print()
    waiting = "1 question waits" if len(holds) == 1 else f"{len(holds):,} questions wait"
    console.print(Text(f"{waiting} for a decision", style="bold"))
    listed = holds if full else holds[:FIRST]
    for hold in listed:
        _print(console, _question(hold, full=full), why=str(hold["because"]))
    if len(holds) > len(listed):
        _more(console, len(holds) - len(listed), f"ghl-reconcile review --pair {pair}")


def _question(hold: Map[str, Any], *, full: bool) -> _Entry:
    head = Text(str(hold.get("label") or hold["subject"]), style="bold")
    head.append(f" ({hold['entity']})", style=_DIM)
    values = hold["values"]
    about = hold["field"]
    if about and {"app", "ghl"} <= values.keys():
        ours = quoted(values["app"], full=full)
        theirs = quoted(values["ghl"], full=full)
        head.append(f"  {about}: {ours} (the app) or {theirs} (GHL)", style=_PLAIN)
    elif about:
        head.append(f"  {about}", style=_PLAIN)
    return _Entry("?", head)
