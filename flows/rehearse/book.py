"""The check's own ledger: who typed what, where, when, into which record, and what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from flows.rehearse.rules import Row, Value, base

SIDES = ("app", "ghl")
Ident = tuple[str, str]
"""An entity and a uid: what a person, a task or a note is known by, which no edit takes away."""
Cell = tuple[str, str, str]
"""An entity, a uid, and a field of it."""


def other(side: str) -> str:
    """The side across."""
    return "ghl" if side == "app" else "app"


@dataclass(frozen=True, slots=True)
class Seen:
    """Both sides at one moment.

    Each side's records by ident, all of them where there are several, and those without a uid.
    """

    rows: Mapping[str, Mapping[Ident, list[Row]]]
    strays: Mapping[str, Mapping[str, Row]]

    def row(self, side: str, ident: Ident) -> Row | None:
        """The record on a side; the first of several."""
        found = self.rows[side].get(ident)
        return found[0] if found else None

    def keys(self, ident: Ident) -> dict[str, str]:
        """Its keys, by side."""
        return {side: row.key for side in SIDES if (row := self.row(side, ident)) is not None}

    def idents(self) -> set[Ident]:
        """Whatever is on either side."""
        return {ident for side in SIDES for ident in self.rows[side]}


def nothing() -> Seen:
    """Two empty sides."""
    return Seen({side: {} for side in SIDES}, {side: {} for side in SIDES})


@dataclass(slots=True)
class Typed:
    """A value that a person typed and that is not on both sides yet.

    `during`: while the job was running.
    """

    day: int
    value: Value
    at: float
    during: bool = False
    earlier: tuple[Value, ...] = ()
    """What a person had typed there before, since the sides agreed."""


@dataclass
class Book:
    """Everything that people did, and what is still owed to them."""

    pending: dict[Cell, dict[str, Typed]] = field(default_factory=lambda: defaultdict(dict))
    gone: dict[Ident, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """Where people deleted a record, and on which day."""
    gone_with: dict[tuple[str, Ident], Ident] = field(default_factory=dict)
    """By side, the tasks and notes that people deleted with their contact, and that contact."""
    merged: dict[Ident, Ident] = field(default_factory=dict)
    untraceable: set[Ident] = field(default_factory=set)
    """Those merged away of whom nothing is left that was ever seen.

    Their merge looks like a deletion, and is one to any reader.
    """
    twice: set[Ident] = field(default_factory=set)
    """Records that people entered twice on one side."""
    decided: dict[Ident, dict[str | None, str]] = field(default_factory=lambda: defaultdict(dict))
    """What was answered to a question about a record, by field; None: about the record itself."""
    rewound: set[Ident] = field(default_factory=set)
    """Records whose app row went back with a backup."""
    typed_at: dict[Cell, dict[Value, float]] = field(default_factory=lambda: defaultdict(dict))
    """When somebody last typed each value, on whichever side.

    Two backups may bring a newer one back.
    """
    moments: dict[tuple[str, Cell], float] = field(default_factory=dict)
    """When a value was typed on a side on the day that is not entered yet."""
    last_edit: dict[tuple[str, Ident], float] = field(default_factory=dict)
    """When a person last typed into a record of a side."""
    story: dict[Ident, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def tell(self, ident: Ident, day: int, what: str) -> None:
        """Add to the story of a record."""
        earlier = self.story[ident][-7:]
        self.story[ident] = [*earlier, f"day {day}: {what}"]

    def compare(self, before: Seen, after: Seen, day: int, at: float) -> None:
        """Enter what people did between two looks, while no run was under way."""
        for side in SIDES:
            for ident in sorted(before.rows[side].keys() | after.rows[side].keys()):
                was, now = before.row(side, ident), after.row(side, ident)
                self._compare_one(
                    side,
                    ident,
                    was,
                    now,
                    day,
                    at,
                )
                if was is not None and now is None and was.of:
                    contact = ("contact", was.of)
                    if after.row(side, contact) is None:
                        self.gone_with[side, ident] = contact
        self.moments.clear()

    def _compare_one(
        self,
        side: str,
        ident: Ident,
        was: Row | None,
        now: Row | None,
        day: int,
        at: float,
    ) -> None:
        if was is now or (
            was is not None and now is not None and was.cells == now.cells and was.of == now.of
        ):
            return
        if now is None:
            self.gone[ident][side] = day
            self.tell(ident, day, f"deleted in {side}")
            # What was typed there alone went with it, by the person's own hand: an answer may
            # bring back what is across.
            for cell in [cell for cell in self.pending if cell[:2] == ident]:
                self.retire(
                    cell,
                    [side],
                    "gone with its record",
                )
            return
        if was is None:
            self.gone[ident].pop(side, None)
        old = was.cells if was is not None else {}
        for name in sorted(old.keys() | now.cells.keys()):
            if old.get(name) != now.cells.get(name):
                moment = self.moments.get((side, (*ident, base(name))), at)
                self.type(
                    side,
                    ident,
                    name,
                    now.cells.get(name),
                    day,
                    moment,
                )
        if was is not None and was.of != now.of:
            self.tell(
                ident,
                day,
                f"moved in {side} from {was.of} to {now.of}",
            )

    def type(
        self,
        side: str,
        ident: Ident,
        name: str,
        value: Value,
        day: int,
        at: float,
        *,
        during: bool = False,
    ) -> None:
        """A person typed a value."""
        self.counts["typed"] += 1
        self.typed_at[*ident, name][value] = at
        before = self.pending[*ident, name].get(side)
        earlier = (*before.earlier, before.value) if before is not None else ()
        self.pending[*ident, name][side] = Typed(
            day,
            value,
            at,
            during,
            earlier,
        )
        self.decided[ident].pop(name, None)
        when = " during the run" if during else ""
        self.tell(
            ident,
            day,
            f"{name} = {value!r} typed in {side}{when}",
        )

    def retire(self, cell: Cell, sides: Iterable[str], how: str) -> None:
        """What was typed is owed no longer."""
        for side in sides:
            if self.pending[cell].pop(side, None) is not None:
                self.counts[how] += 1
        if not self.pending[cell]:
            del self.pending[cell]

    def forget(self, ident: Ident) -> None:
        """Nothing that was typed into a record is owed any longer."""
        for cell in [cell for cell in self.pending if cell[:2] == ident]:
            del self.pending[cell]

    def decision(self, ident: Ident, name: str) -> str | None:
        """What was answered about a value, or about its record."""
        said = self.decided.get(ident, {})
        about = (name, base(name), None)
        answers = (said.get(each) for each in about)
        return next(filter(None, answers), None)

    def rename(self, was: Ident, now: Ident) -> None:
        """One record was known under two idents: what was entered under one goes to the other."""
        for cell in [cell for cell in self.pending if cell[:2] == was]:
            self.pending[*now, cell[2]].update(self.pending.pop(cell))
        self.gone[now].update(self.gone.pop(was, {}))
        for side in SIDES:
            edited = self.last_edit.pop((side, was), None)
            if edited is not None:
                self.last_edit[side, now] = edited
        self.story[now] += self.story.pop(was, [])

    def rename_links(self, fields: Collection[tuple[str, str]], was: str, now: str) -> None:
        """What these fields name is known by another uid from now on."""
        renamed: dict[Value, Value] = {was: now}
        for cell, sides in self.pending.items():
            kind, _, name = cell
            if (kind, name) not in fields:
                continue
            for typed in sides.values():
                earlier = [renamed.get(one, one) for one in typed.earlier]
                typed.value = renamed.get(typed.value, typed.value)
                typed.earlier = tuple(earlier)
        for cell, times in self.typed_at.items():
            kind, _, name = cell
            if (kind, name) in fields and was in times:
                times[now] = times.pop(was)
