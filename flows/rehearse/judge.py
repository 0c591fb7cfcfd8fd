"""The check after each night.

It looks at every value that a person typed, and at every record, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flows.rehearse import consents, given, strangers
from flows.rehearse.book import SIDES, Book, Cell, Ident, Seen, Typed, other
from flows.rehearse.findings import Finding
from flows.rehearse.rules import Row, Rule, Rules, Value, base
from flows.rehearse.told import Told

_PLAIN = Rule()
"""The rule of a field of which none is known."""


@dataclass
class Judge:
    """Compares what was before a night, what people did, what is there now, and what was said."""

    book: Book
    rules: Rules = field(default_factory=dict)
    reported: set[tuple[str, Ident, str]] = field(default_factory=set)
    sweep: int = 0
    """Where a night may read only some contacts' notes, the nights for all of them."""
    unmapped: set[str] = field(default_factory=set)
    """Fields of contacts that the pair file leaves out for now."""
    owners: dict[tuple[str, Ident], Ident] = field(default_factory=dict)
    """Whose a task or note was on a side before the run."""
    vanished: set[tuple[str, Ident]] = field(default_factory=set)
    """What a run took away, by side: with a contact goes what hangs on it."""
    arrivals: set[tuple[str, Ident]] = field(default_factory=set)
    """What a run made, by side: who was at a company across is at it here, once that is there."""
    alike: set[tuple[str, Ident]] = field(default_factory=set)
    """Whose key is another's since, by side, of whom a name alone tells it."""
    nights: tuple[str, ...] = ()
    day: int = 0
    left_out: set[Ident] = field(default_factory=set)
    """Records that a decision leaves out, or leaves without a counterpart."""
    met: set[Ident] = field(default_factory=set)
    """Records that a run saw on both sides, or made on one.

    What was deleted before that was never linked: no run can know that its side had it once.
    """

    def meet(self, before: Seen, after: Seen, outcome: Told) -> None:
        """Note what a night has seen on both sides, or made."""
        for ident in after.idents() | before.idents():
            was, now = (len(seen.keys(ident)) == len(SIDES) for seen in (before, after))
            if (was and outcome.saw(ident[0])) or (now and not was):
                self.met.add(ident)

    def night(self, day: int, before: Seen, after: Seen, outcome: Told) -> list[Finding]:
        """Every finding of a night, each of a record and field once."""
        found = []
        for kind, ident, name, what in self._all(
            day,
            before,
            after,
            outcome,
        ):
            if (kind, ident, name) not in self.reported:
                self.reported.add((kind, ident, name))
                story = tuple(self.book.story.get(ident, ()))
                found.append(Finding(day, kind, ident, name, what, story, self.nights))
        for typed in self.book.pending.values():
            for one in typed.values():
                one.during = False
        return found

    def _all(
        self, day: int, before: Seen, after: Seen, outcome: Told
    ) -> Iterator[tuple[str, Ident, str, str]]:
        self.day = day
        headline = outcome.document.get("verdict", {}).get("headline", outcome.errors[-300:])
        said = f"exit {outcome.code}: {headline}"
        everybody = before.idents() | after.idents()
        there = {(side, one) for side in SIDES for one in before.rows[side]}
        self.owners = {
            (side, ident): ("contact", rows[0].of)
            for side in SIDES
            for ident, rows in before.rows[side].items()
            if rows[0].of
        }
        self.vanished = {(side, one) for side, one in there if after.row(side, one) is None}
        self.arrivals = {(side, one) for side in SIDES for one in after.rows[side]} - there
        self.alike = strangers.alike(before, after)
        for ident in sorted(everybody - self.book.twice):
            for kind, name, what in self._record(
                day,
                ident,
                before,
                after,
                outcome,
            ):
                yield kind, ident, name, f"{what} ({said})"
        yield from strangers.under_keys(before, after, said, self.alike)
        if outcome.unexplained:
            yield (
                "unexplained",
                ("run", str(day)),
                "",
                f"{outcome.unexplained} unexplained ({said})",
            )
        quiet = not self.nights or self.nights[-1].endswith("quiet")
        if outcome.code == 3 and quiet:
            yield "stuck", ("run", str(day)), "", said
        if "[DEFECT]" in outcome.errors:
            end = outcome.errors[-160:]
            yield "defect", ("run", end), "", outcome.errors[-1500:]

    # one record

    def _record(
        self, day: int, ident: Ident, before: Seen, after: Seen, outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        for side in SIDES:
            copies = len(after.rows[side].get(ident, ()))
            earlier = len(before.rows[side].get(ident, ()))
            if copies > max(1, earlier):
                yield "twice", side, f"{copies} times in {side}"
            was, now = before.row(side, ident), after.row(side, ident)
            if was is not None and now is None:
                yield from self._vanished(
                    ident,
                    side,
                    was,
                    before,
                    outcome,
                )
            elif was is None and now is not None:
                yield from self._appeared(
                    ident,
                    side,
                    before,
                )
        ends = {side: row for side in SIDES if (row := after.row(side, ident)) is not None}
        if len(ends) == 2:
            yield from self._values(
                ident,
                before,
                ends,
                outcome,
            )
        elif len(ends) == 1:
            yield from self._alone(
                ident,
                next(iter(ends)),
                before,
                after,
                outcome,
            )
        else:
            self.book.forget(ident)

    def _owner(self, ident: Ident, seen: Seen) -> Ident | None:
        """The contact of a task or note."""
        rows = [row for side in SIDES if (row := seen.row(side, ident)) is not None]
        if ident[0] == "contact" or not rows:
            return None
        uid = rows[0].of
        return ("contact", uid) if uid else None

    def _vanished(
        self, ident: Ident, side: str, was: Row, before: Seen, outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        """The run deleted a record."""
        owner = self._owner(ident, before)
        deleted = self.book.gone.get(ident, {})
        owned = self.book.gone.get(owner, {}) if owner else {}
        if side in deleted or side in owned:
            return
        if self.book.decision(ident, "") or (owner and self.book.decision(owner, "")):
            self.book.counts["deleted by decision"] += 1
            return
        if ident in self.book.untraceable:
            self.book.counts["deleted after a merge without a trace"] += 1
            return
        if ident in self.book.merged:
            yield (
                "deleted",
                side,
                f"deleted in {side}: in GHL it was merged into {self.book.merged[ident][1]}",
            )
            return
        if owner and (side, owner) in self.vanished:
            return
        if (side, ident) in self.alike:
            # Nothing of it is there any more that could be judged.
            self.book.twice.add(ident)
            self.book.counts["taken for renamed"] += 1
            return
        if other(side) not in deleted and other(side) not in owned:
            yield "deleted", side, f"{side}'s {was.key} is gone, and nobody had deleted it anywhere"
            return
        self.book.counts["deleted"] += 1
        since = max((*deleted.values(), *owned.values()))
        owed = [
            f"{cell[2]}={typed[side].value!r}"
            for cell, typed in self.book.pending.items()
            if cell[:2] == ident
            and side in typed
            and typed[side].day >= since
            and typed[side].value
            and cell[2] not in self.unmapped
        ]
        if owed:
            yield (
                "edit-deleted",
                side,
                f"{', '.join(owed[:4])} typed in {side} on the day it was deleted across or later",
            )

    def _appeared(self, ident: Ident, side: str, before: Seen) -> Iterator[tuple[str, str, str]]:
        """The run made a record."""
        self.book.counts["created"] += 1
        if self.book.decision(ident, ""):
            return
        owner = self._owner(ident, before)
        if owner and self.book.decision(owner, ""):
            return
        # Moved on one side, and deleted on the other with the contact that it hung on there: it
        # lives on where it was moved.
        if owner and owner != self.book.gone_with.get((side, ident), owner):
            return
        if side in self.book.gone.get(ident, {}) and ident in self.met:
            yield (
                "revived",
                side,
                f"deleted in {side} on day {self.book.gone[ident][side]}, and there again",
            )
        elif owner in self.met and side in self.book.gone.get(owner, {}):
            yield "revived", side, f"its contact {owner[1]} was deleted in {side}"

    def _alone(
        self, ident: Ident, side: str, before: Seen, after: Seen, outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        """A record on one side only has to be named, unless it was entered during the run."""
        typed = [
            one[side]
            for cell, one in self.book.pending.items()
            if cell[:2] == ident and side in one
        ]
        entered = bool(typed) and all(one.during for one in typed)
        if entered or ident in self.left_out:
            return
        across = before.row(other(side), ident)
        if across is not None and other(side) in self.book.gone.get(ident, {}):
            return  # somebody deleted it while the run was under way
        for name in strangers.renamed(
            ident,
            side,
            before,
            after,
            self.book,
        ):
            if self._rule(ident[0], name).alone:
                yield "stranger", name, f"changed in {side}, with nobody across"
        keys = after.keys(ident)
        owner = self._owner(ident, after)
        named = outcome.names(keys, "") or (
            owner is not None and outcome.names(after.keys(owner), "")
        )
        quiet = outcome.silent(ident[0]) or (ident[0] == "note" and self._unswept(typed))
        deleted = (
            ident in self.book.merged
            or other(side) in self.book.gone.get(ident, {})
            or (owner is not None and other(side) in self.book.gone.get(owner, {}))
        )
        if not named and not quiet and not (deleted and outcome.code):
            yield "one-sided", "", f"{keys} on {side} alone, deleted across: {deleted}"
        if outcome.agreed:
            yield "agree", "", f"{keys} on {side} alone, deleted across: {deleted}, named: {named}"

    # its values

    def _values(
        self, ident: Ident, before: Seen, ends: dict[str, Row], outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        names = {cell[2] for cell in self._cells(ident)} | set().union(
            *(row.cells for row in ends.values())
        )
        for name in sorted(names):
            if base(name) in self.unmapped and ident[0] == "contact":
                continue
            now = {side: ends[side].cells.get(name) for side in SIDES}
            judge = self._consent if self._rule(ident[0], name).consent else self._value
            yield from judge(
                (*ident, name),
                before,
                now,
                ends,
                outcome,
            )

    def _consent(
        self, cell: Cell, before: Seen, now: dict[str, Value], ends: dict[str, Row], outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        entity, uid, name = cell
        ident = (entity, uid)
        keys = {side: row.key for side, row in ends.items()}
        named = outcome.names(keys, name)
        said = consents.Said(
            rule=self._rule(entity, name),
            was={side: self._was(before, side, ident, name) for side in SIDES},
            now=now,
            there=frozenset(side for side in SIDES if before.row(side, ident)),
            typed=self.book.pending.get(cell, {}),
            decided=self.book.decision(ident, name) is not None,
            named=named or outcome.silent(entity),
            agreed=outcome.agreed,
        )
        for kind, what in consents.broken(said):
            yield kind, name, what
        if said.settled:
            self.book.retire(cell, SIDES, "on both sides")

    def _cells(self, ident: Ident) -> list[Cell]:
        return [cell for cell in self.book.pending if cell[:2] == ident]

    @staticmethod
    def _was(before: Seen, side: str, ident: Ident, name: str) -> Value:
        row = before.row(side, ident)
        return row.cells.get(name) if row is not None else None

    def _value(
        self, cell: Cell, before: Seen, now: dict[str, Value], ends: dict[str, Row], outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        ident = (cell[0], cell[1])
        was = {side: self._was(before, side, ident, cell[2]) for side in SIDES}
        for side in SIDES:
            earlier = before.row(side, ident)
            if earlier is None or ident not in self.met:
                given.to_new(self.book, cell, side, was, now)
            if earlier is not None and side in self._rule(cell[0], cell[2]).follows:
                given.anew(self.book, cell, side, was, now)
        owed = dict(self.book.pending.get(cell, {}))
        for side in SIDES:
            key = ends[side].key
            typed = owed.get(side)
            if self._gone(cell, side, was[side]) and now[side] is None:
                self.book.retire(cell, [side], "gone with its record")
                continue
            if typed is not None and typed.value != now[side]:
                yield from self._overwritten(
                    cell,
                    side,
                    key,
                    typed,
                    now,
                    outcome,
                )
            elif typed is None and now[side] != was[side] and before.row(side, ident) is not None:
                yield from self._changed(
                    cell,
                    side,
                    was,
                    now,
                    owed.get(other(side)),
                    outcome,
                    key,
                )
        if now["app"] == now["ghl"]:
            self.book.retire(cell, SIDES, "on both sides")
            return
        yield from self._apart(cell, now, ends, outcome)

    def _unswept(self, owed: Iterable[Typed]) -> bool:
        """Whether what was typed may still wait for a night that reads the note.

        What the app tells of its notes presses, so that a few nights more than all of them take are
        enough, also where some come to nothing.
        """
        first = min((one.day for one in owed), default=self.day)
        return self.day - first <= 2 * self.sweep + 2 and self.sweep > 0

    def _gone(self, cell: Cell, side: str, value: Value) -> bool:
        """Whether a value names a record that the run took away."""
        kind = self._rule(cell[0], cell[2]).names
        return value is not None and (side, (kind, value)) in self.vanished

    def _follows(self, cell: Cell, side: str, was: dict[str, Value], now: dict[str, Value]) -> bool:
        """Whether a value names, as it does across, a record that the run made."""
        kind = self._rule(cell[0], cell[2]).names
        named = now[side]
        if named is None or was[side] is not None or named != was[other(side)]:
            return False
        return (side, (kind, named)) in self.arrivals

    def _overwritten(
        self, cell: Cell, side: str, key: str, typed: Typed, now: dict[str, Value], outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        """A typed value is not where it was typed any more."""
        entity, uid, name = cell
        rule = self.rules.get((entity, base(name)))
        shown = outcome.overwrote(
            side,
            key,
            entity,
            name,
            typed.value,
        )
        owner = self.owners.get((side, (entity, uid)))
        if self._added(cell, side, typed):
            shown = False
        if self.book.decision((entity, uid), name) or (owner and self.book.decision(owner, "")):
            self.book.retire(
                cell,
                [side],
                "lost to a decision",
            )
        elif typed.value is None and (shown or (rule and (rule.keeps or rule.items))):
            self.book.retire(cell, [side], "lost to a rule")
        elif shown:
            self.book.retire(cell, [side], "lost to a rule")
            across = self.book.pending.get(cell, {}).get(other(side))
            last = self.book.last_edit.get((other(side), (entity, uid)), typed.at)
            mine = self.book.last_edit.get((side, (entity, uid)), 0.0)
            # By the record's time alone, what was typed into another field after a delta had
            # written would count.
            later = across is not None and typed.at > across.at and mine > last
            if rule and rule.loses == "older" and later and across and now[side] == across.value:
                yield (
                    "oldest",
                    name,
                    f"{typed.value!r} in {side} was typed after {across.value!r}, which won",
                )
        else:
            self.book.retire(cell, [side], "LOST")
            said = f"{typed.value!r} typed in {side} on day {typed.day}"
            yield "lost", name, f"{said}; now {now}"

    def _added(self, cell: Cell, side: str, typed: Typed) -> bool:
        """Whether somebody added it to a set, from which nobody took it: no rule may."""
        rule = self._rule(cell[0], cell[2])
        across = self.book.pending[cell].get(other(side))
        if not rule.items or rule.owner or typed.value is None:
            return False
        return across is None and cell[:2] not in self.book.rewound

    def _changed(
        self,
        cell: Cell,
        side: str,
        was: dict[str, Value],
        now: dict[str, Value],
        across: Typed | None,
        outcome: Told,
        key: str,
    ) -> Iterator[tuple[str, str, str]]:
        """The run wrote a value: one that somebody typed across and that was not there yet."""
        entity, uid, name = cell
        if across is not None and now[side] in (across.value, *across.earlier):
            return
        if self.book.decision((entity, uid), name):
            return
        if self._follows(cell, side, was, now):
            return
        # In a ring, what another record is to have is cleared first. The value that was typed stays
        # owed, and has to be named.
        if (
            self._rule(entity, name).alone
            and now[side] is None
            and across is not None
            and across.value
        ):
            return
        if (entity, uid) in self.book.rewound and now["app"] == now["ghl"]:
            times = self.book.typed_at[cell]
            newer = times.get(now[side], 0.0) > times.get(was[side], 0.0)
            if side == "app" or newer:
                return
        changed = f"{side}: {was[side]!r} became {now[side]!r}"
        across_was = was[other(side)]
        yield (
            "invented",
            name,
            f"{changed}, across was {across_was!r}",
        )

    def _rule(self, entity: str, name: str) -> Rule:
        return self.rules.get((entity, base(name)), _PLAIN)

    def _apart(
        self, cell: Cell, now: dict[str, Value], ends: dict[str, Row], outcome: Told
    ) -> Iterator[tuple[str, str, str]]:
        """The sides differ: that has to be named, and the run must not say that they agree."""
        entity, uid, name = cell
        rule = self.rules.get((entity, base(name)))
        owed = self.book.pending.get(cell, {})
        if any(typed.during for typed in owed.values()) or (entity, uid) in self.left_out:
            return
        if (
            rule
            and rule.keeps
            and None in now.values()
            and all(typed.value is None for typed in owed.values())
        ):
            self.book.retire(cell, SIDES, "blank kept")
            return
        if rule and rule.owner and (rule.leaves or now[rule.owner] is None):
            self.book.retire(
                cell,
                SIDES,
                "left by a one-way rule",
            )
            return
        if self.book.decision((entity, uid), name) in ("leave", "ignore", "keep"):
            return
        keys = {side: ends[side].key for side in SIDES}
        unread = entity == "note" and self._unswept(owed.values()) and outcome.unread("note")
        if owed and not outcome.names(keys, name) and not unread and not outcome.silent(entity):
            said = ", ".join(
                f"{typed.value!r} in {side} on day {typed.day}" for side, typed in owed.items()
            )
            yield "unmentioned", name, f"typed {said}; now {now}, {keys}"
        elif owed:
            self.book.counts["held or named"] += 1
        if outcome.agreed:
            yield "agree", name, f"{now}, {keys}"
