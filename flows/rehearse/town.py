"""The world of a rehearsal: copies of the user's own data, and people who work with them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors.ghl import GhlConnector
from connectors.ghl.sandbox import Limit, Sandbox, Settings, make_app
from connectors.ghl.sandbox.serve import hosted
from flows.config import Pair, load
from flows.rehearse import pairfile
from flows.rehearse.api import ApiCopy
from flows.rehearse.book import Book, Ident, Seen, nothing
from flows.rehearse.cast import Cast
from flows.rehearse.clock import Moving, moved
from flows.rehearse.copies import Copied, Keeper, copy
from flows.rehearse.fields import Played, played, rules_of
from flows.rehearse.findings import Finding
from flows.rehearse.judge import Judge
from flows.rehearse.ledgers import Ledgers
from flows.rehearse.names import Links, Looked, Names, known_of
from flows.rehearse.operator import JobOperator
from flows.rehearse.rules import Row
from flows.rehearse.server import Server
from flows.rehearse.sides import AppScreen, GhlScreen, Held, Screen
from flows.rehearse.sides import Seen as Shown
from flows.rehearse.told import Told
from flows.rehearse.wire import Wire
from flows.rehearse.work import work
from flows.rehearse.world import Known, World
from flows.wiring.wiring import connect
from reconcile.compare.reused_keys import known_by
from reconcile.entities import OWNER
from reconcile.errors import ConfigError, Problem
from reconcile.model import Entity, Side
from reconcile.ports import Connector, Description

_LAG = 2.0
"""Seconds that the look-alike's search trails a write."""
_ENOUGH = 2
"""So many values tell people apart: who was known by one alone may have a new one."""
_FREE = Limit(
    max=1_000_000,
    window_seconds=1.0,
    daily=10_000_000,
)


@dataclass
class Town(World):
    """Everything there is. `raw` is `now` by the sides' own keys."""

    folder: Path
    dice: random.Random
    clock: Moving
    ghl: Sandbox
    wire: Wire
    operator: JobOperator
    screens: Mapping[Side, Screen]
    fields: list[Played]
    cast: Cast
    names: Names
    keeper: Keeper | Server | ApiCopy
    copied: Copied
    pair: Pair
    book: Book = field(default_factory=Book)
    day: int = 0
    touched: set[Ident] = field(default_factory=set)
    now: Seen = field(default_factory=nothing)
    raw: Looked = field(default_factory=dict)
    backups: list[Any] = field(default_factory=list)
    others: Mapping[Ident, Any] = field(default_factory=dict)
    """The app's rows that are not of this pair, as the night began."""
    ledgers: Ledgers = field(init=False)
    known: Known = field(init=False)
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.ledgers = Ledgers(self.names.ledger, self.folder)
        self.judge = Judge(self.book, rules_of(self.fields, self.names.uid))
        self.known = known(self.fields)
        self.cast.records = self._uids
        budget = self.pair.ghl.notes_budget
        if budget:
            people = self.copied.sample.keys[Side.GHL]
            self.judge.sweep = math.ceil(len(people) / budget)

    @property
    def sandbox(self) -> Sandbox:
        """GHL's look-alike."""
        return self.ghl

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of record that there are."""
        return tuple(dict.fromkeys(one.entity.value for one in self.fields))

    def looked(self) -> Looked:
        """What both sides hold now, by their own keys."""
        return {side: screen.rows() for side, screen in self.screens.items()}

    def look(self) -> Seen:
        """What both sides hold now."""
        return self.names.seen(self.looked())

    def put(self, side: str, ident: Ident, values: Mapping[str, Any]) -> None:
        """Type values; of a field that people of that side cannot change, nothing."""
        entity = Entity(ident[0])
        open_ones = self._open(side, entity, values)
        open_ones = self._own_keys(side, entity, open_ones)
        if not open_ones:
            return
        if not self.screens[Side(side)].edit(
            entity,
            self.key(side, ident),
            open_ones,
        ):
            self.book.counts[f"not taken by {Side(side).label}"] += 1

    def _open(self, side: str, kind: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the values that people of that side type."""
        mine = [one for one in self.fields if one.entity is kind]
        names = {one.name for one in mine if Side(side) in one.typed}
        return {name: value for name, value in values.items() if name in names}

    def _own_keys(self, side: str, kind: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with a side's own keys of the records that they name.

        What that side did not have as the day began, nobody finds on its screens.
        """
        own = dict(values)
        for (entity, name), named in self.names.links.items():
            uid = own.get(name)
            if entity != kind or uid is None:
                continue
            row = self.now.row(side, (named, uid))
            if row is None:
                del own[name]
            else:
                own[name] = row.key
        return own

    def _uids(self, kind: Entity) -> list[str]:
        """By what the records of a kind are known."""
        mine = (ident for ident in self.now.idents() if ident[0] == kind.value)
        return [uid for _, uid in sorted(mine, key=self.order)]

    def order(self, ident: Ident) -> Any:
        """Where the record stands among those of all kinds, as they were first seen."""
        return self.names.places.get(ident, 0), ident

    def enter(self, side: str, entity: str, values: dict[str, Any], of: Ident | None = None) -> Any:
        """Enter a new record; its key, or None where the side refused it."""
        self.clock.sleep(self.dice.uniform(1, 90))
        kind = Entity(entity)
        parent = self.key(side, of) if of else None
        own = self._open(side, kind, values)
        own = self._own_keys(side, kind, own)
        key = self.screens[Side(side)].add(kind, parent, own)
        if key is None:
            self.book.counts[f"not taken by {Side(side).label}"] += 1
        return key

    def remove(self, side: str, ident: Ident) -> None:
        """Delete a record."""
        kind = Entity(ident[0])
        key = self.key(side, ident)
        self.screens[Side(side)].delete(kind, key)

    def give_key(self, ident: Ident) -> None:
        """Delete a person in the app, and enter a new one, who gets their key.

        Of whom one value alone was known, the job is not to tell them from the new one.
        """
        kind = Entity(ident[0])
        row = self.now.row("app", ident)
        telling = self._known_by()
        if row is None or len([name for name in telling if row.cells.get(name)]) < _ENOUGH:
            return
        hanging = list(self._hanging(ident))
        mine = [one for one in self.fields if one.entity is kind and Side.APP in one.typed]
        person = dict.fromkeys((one.name for one in mine if one.clears), None)
        person |= self.cast.record(kind, Side.APP)
        known = [one for one in mine if one.name in telling and person.get(one.name)]
        person |= self.cast.stranger(known, row)
        app = self.screens[Side.APP]
        if not app.edit(kind, row.key, self._own_keys(Side.APP, kind, person)):
            self.book.counts[f"not taken by {Side.APP.label}"] += 1
            return
        for each, child in hanging:
            app.delete(Entity(each), child.key)
        self.names.give(kind.value, row.key)

    def _known_by(self) -> list[str]:
        """The fields that tell people apart, as docs/tasks/resolve.md has them."""
        mapped = self.pair.mapping[OWNER]
        return [mapped.fields[place - 1].name for place in known_by(mapped)]

    def _hanging(self, ident: Ident) -> Iterator[tuple[str, Row]]:
        """What hangs on a contact in the app."""
        for one, rows in self.now.rows["app"].items():
            if rows[0].of == ident[1]:
                yield one[0], rows[0]

    def put_back(self, kept: Any) -> None:
        """Put the app back to what a backup of it holds."""
        rows, parted = kept
        before = set(known_of(self.looked()))
        self.keeper.put_back(rows)
        self.names.take_back(self.names.parted - parted)
        # Where counters go back, too, also the key of what somebody deleted since is given anew.
        ends = {end for end in self.names.uids if end[1] == Side.APP}
        for gone in (before | ends) - set(known_of(self.looked())):
            self.names.free(gone)

    def new_value(self, entity: str, ident: Ident, name: str) -> Any:
        """What somebody types over what is there."""
        kind = Entity(entity)
        one = next(each for each in self.fields if each.entity is kind and each.name == name)
        row = self.now.row("app", ident) or self.now.row("ghl", ident)
        return self.cast.value(one, row.cells.get(name) if row else None)

    def new_person(self) -> dict[str, Any]:
        """A whole new person."""
        return self.cast.record(OWNER, Side(self.side()))

    def odd_values(self) -> dict[str, Any]:
        """Values for a contact that people type and that no rule of a form expects."""
        odd = {"email": self.cast.email_abroad, "phone": self.cast.words_for_a_phone}
        people = [one for one in self.fields if one.entity is OWNER and one.typed]
        return {
            one.name: odd[one.field.codec.name]() for one in people if one.field.codec.name in odd
        }

    # the day and the night

    def work(self) -> None:
        """About a tenth of the people are edited, and some get tasks and notes."""
        work(self)

    def backup(self) -> Any:
        """A backup of the app as it is now."""
        rows = self.keeper.keep(f"{self.day}")
        parted = set(self.names.parted)
        return rows, parted

    def close_day(self) -> None:
        """Enter what people did on the day that ends."""
        super().close_day()

    def remember(self) -> None:
        """Keep what both sides hold as the evening begins, or since a backup was put back."""
        self.raw = self.looked()
        self.others = self._others()

    def _others(self) -> Mapping[Ident, Any]:
        app = self.screens[Side.APP]
        return dict(app.others())

    def _touched(self) -> Iterator[Finding]:
        """Rows of others that the night changed."""
        left = self._others()
        for ident, cells in self.others.items():
            if left.get(ident) != cells:
                yield Finding(
                    self.day,
                    "others",
                    ident,
                    "",
                    f"was {cells}, is {left.get(ident)}",
                    nights=self.judge.nights,
                )

    def judged(self, told: Told) -> list[Finding]:
        """What is wrong after the night, by what the job has linked since."""
        self.ledgers.keep()
        after = self.looked()
        for was, now in self.names.learn(after):
            self.book.rename(was, now)
            kind, uid = was
            naming = {field for field, named in self.names.links.items() if named == kind}
            self.book.rename_links(naming, uid, now[1])
        before = self.names.seen(self.raw)
        if self.day == 1:  # all that was there had been typed at some time
            self.book.compare(
                nothing(),
                before,
                0,
                self.clock(),
            )
        doubled = list(
            doubles(
                self.names.plain(self.raw),
                self.names.plain(after),
                self.day,
                self.judge.nights,
            )
        )
        self.raw, self.now = after, self.names.seen(after)
        found = self.judge.night(
            self.day,
            before,
            self.now,
            told,
        )
        self.judge.meet(before, self.now, told)
        return [*found, *doubled, *self._touched()]


def doubles(before: Looked, after: Looked, day: int, nights: tuple[str, ...]) -> Iterator[Finding]:
    """Records that a side holds more often than either side held them before the night."""
    stack = {side: _alike(before[side]) for side in Side}
    for side in Side:
        for (kind, *what), keys in _alike(after[side]).items():
            earlier = [stack[each].get((kind, *what), ()) for each in Side]
            most = max(map(len, earlier))
            if len(keys) > max(most, 1):
                said = f"{side} holds it as {', '.join(keys)}"
                ident = (kind.value, f"{side.value} {keys[-1]}")
                yield Finding(
                    day,
                    "twice",
                    ident,
                    "",
                    said,
                    nights=nights,
                )


def _alike(stack: Held) -> dict[tuple[Any, ...], list[str]]:
    """The keys of records that hold the same, on the same contact.

    A contact without an address or a number may be like another, and is left out.
    """
    known = {row.key: frozenset(row.cells.items()) for row in stack.get(OWNER, ())}
    alike: dict[tuple[Any, ...], list[str]] = {}
    for kind, rows in stack.items():
        for row in rows:
            cells = frozenset((name, cell) for name, cell in row.cells.items() if cell)
            if len(cells) > 2 or row.of is not None:
                owner = known.get(row.of or "")
                keys = alike.setdefault((kind, owner, cells), [])
                keys.append(row.key)
    return alike


def known(fields: list[Played]) -> Known:
    """The contact's fields by what people do with them: they can do it on both sides."""
    both = [one for one in fields if len(one.typed) == len(Side)]
    texts: dict[str, tuple[str, ...]] = {}
    for one in both:
        words = one.field.codec.name in ("text", "name", "html") and not one.choices
        if words and not one.field.by_item:
            kind = one.entity.value
            texts[kind] = (*texts.get(kind, ()), one.name)
    people = [one for one in both if one.entity is OWNER]
    return Known(
        texts={OWNER.value: (), **texts},
        clears=tuple(one.name for one in people if one.clears and not one.field.by_item),
        alone=tuple(one.name for one in people if one.field.codec.name in ("email", "phone")),
        sets=tuple(one.name for one in people if one.field.by_item),
        consents=tuple(one.name for one in people if one.field.rule.consent),
        moves=_moves(both),
        links={one.name: one.names.value for one in people if one.names is not None},
    )


def _moves(fields: Iterable[Played]) -> Mapping[str, tuple[str, ...]]:
    """The choices of each kind but contacts: where its records stand."""
    moves: dict[str, tuple[str, ...]] = {}
    for one in fields:
        if one.choices and one.entity is not OWNER:
            kind = one.entity.value
            moves[kind] = (*moves.get(kind, ()), one.name)
    return moves


def _links(fields: Iterable[Played]) -> Links:
    """The fields that name a record of another kind."""
    links = {}
    for one in fields:
        if one.names is not None:
            links[one.entity.value, one.name] = one.names.value
    return links


@contextmanager
def settled(
    pair: Pair,
    folder: Path,
    *,
    seed: int,
    people: int | None,
    into: str | None = None,
) -> Iterator[Town]:
    """A town on its first morning, with copies of both sides of this pair.

    The tables of a server are dropped in the end.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up edits, not secrets
    clock = Moving()
    document = pairfile.document_of(pair.path)
    with ExitStack() as stack:
        settings = Settings(
            lag_seconds=_LAG,
            seed=seed,
            pit=_FREE,
        )
        sandbox = stack.enter_context(Sandbox(settings, clock=clock))
        copied = copy(
            pair,
            document,
            folder,
            sandbox,
            most=people,
            dice=dice,
            token=pairfile.TOKEN,
            into=into,
        )
        if copied.server is not None:
            stack.callback(copied.server.drop)
        if copied.api is not None:
            served = stack.enter_context(hosted(copied.api.app()))
            copied = replace(copied, app={**copied.app, "url": served})
        wire = Wire(make_app(sandbox))
        url = stack.enter_context(hosted(wire))
        path = pairfile.rehearsed(
            document, folder, url=url, location=copied.where.id, app=copied.app
        )
        stack.enter_context(moved(clock))
        yield _town(
            load(path),
            folder,
            dice,
            clock,
            sandbox,
            wire,
            copied,
            stack,
        )


def _described(app: Connector, copied: Copied) -> Description:
    """What the app's copy is. Raises ConfigError where an SQLite file cannot stand for it."""
    try:
        return app.describe()
    except (ConfigError, NotImplementedError) as error:
        if copied.server is not None:
            raise
        what = f"a copy in an SQLite file does not take this pair file: {error}"
        remedy = "give an empty database of the app's own kind: --into postgresql://…/scratch"
        raise ConfigError([Problem("[app]", what, remedy)]) from None


def _town(
    pair: Pair,
    folder: Path,
    dice: random.Random,
    clock: Moving,
    sandbox: Sandbox,
    wire: Wire,
    copied: Copied,
    stack: ExitStack,
) -> Town:
    sides = stack.enter_context(connect(pair))
    ghl = sides[Side.GHL]
    if not isinstance(ghl, GhlConnector):
        raise TypeError("GHL's side is reached by its own connector")
    told = {Side.GHL: ghl.describe(), Side.APP: _described(sides[Side.APP], copied)}
    where = told[Side.GHL]
    mapping = pair.located(
        pair.region or where.region,
        where.owners,
        where.companies,
    )
    fields = played(mapping, {side: one.fields for side, one in told.items()})
    shown = Shown(mapping, fields)
    custom = {}
    for one in copied.where.fields:
        key = one.get("fieldKey") or one["id"]
        custom[str(key)] = str(one["id"])
    screens: dict[Side, Screen] = {
        Side.APP: AppScreen(sides[Side.APP], shown),
        Side.GHL: GhlScreen(
            sandbox, copied.where.id, ghl, shown, custom, frozenset(pair.ghl.business_ids)
        ),
    }
    cast = Cast(dice, fields)
    names = Names(folder / "state" / "ledger.db", _links(fields))
    town = Town(
        folder=folder,
        dice=dice,
        clock=clock,
        ghl=sandbox,
        wire=wire,
        operator=JobOperator(folder, rules_of(fields, names.uid)),
        screens=screens,
        fields=fields,
        cast=cast,
        names=names,
        keeper=copied.server or copied.api or Keeper(folder, copied.app),
        copied=copied,
        pair=pair,
    )
    town.raw = town.looked()
    cast.learn(town.raw)
    town.now = town.names.seen(town.raw)
    return town
