"""Random small worlds, many in one: each case has identities of its own, so that one run of the engine judges hundreds of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from connectors.memory import Ticks
from reconcile.ledger.ledger import PairState
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.ports import FieldInfo, Json
from reconcile.values.codecs import Bool, Date, Email, Labels, Phone, Text
from reconcile.values.mapping import EntityMap, Field, Filter
from reconcile.values.policy import Blank, Drift, Flow, OnConflict, OnCreate, OnDelete, Rule
from tests.builders import Result, World, contacts, field_of, mapping_of, notes, tasks
from tests.reconcile.oracle import Behaviour, Kind, Population, Row, Tie, Verdicts

VALUES = (None, "x", "y", "z")
TAGS = ("red", "green", "blue")
BAD = "31 June"


@dataclass
class Policies:
    """What one run's mapping does with whole records."""

    create: OnCreate = OnCreate.BOTH
    delete: dict[Side, OnDelete] = field(
        default_factory=lambda: dict.fromkeys(Side, OnDelete.MIRROR)
    )
    absent_runs: int = 1
    named: bool = True


def rules(named: bool) -> dict[str, Rule]:
    """A field for each policy there is; without those that name a side unless `named`."""
    made = {}
    for flow, conflict, drift, blank in product(Flow, OnConflict, Drift, Blank):
        if conflict in (OnConflict.UNION, OnConflict.RESTRICT) or (
            flow is not Flow.BOTH and conflict is not OnConflict.HOLD
        ):
            continue
        if flow is Flow.BOTH and drift is Drift.LEAVE:
            continue
        if not named and (flow is not Flow.BOTH or conflict in (OnConflict.APP, OnConflict.GHL)):
            continue
        words = (flow.value.replace("->", "_to_"), conflict.value, drift.value, blank.value)
        made["_".join(words)] = Rule(flow, conflict, drift, blank)
    return made


def mapped(policies: Policies) -> tuple[EntityMap, EntityMap, EntityMap]:
    """The three maps of a run."""
    wholes: dict[str, Any] = {
        "create": policies.create,
        "delete": policies.delete,
        "absent_runs": policies.absent_runs,
    }
    fields = [
        field_of("email", Email(), also=dict.fromkeys(Side, ("more_emails",))),
        field_of("phone", Phone(region="US")),
        field_of("tags", Labels(), rule=Rule(conflict=OnConflict.UNION, blank=Blank.CLEAR)),
        field_of("born", Date(), rule=Rule(blank=Blank.CLEAR)),
        field_of("must", Text(), rule=Rule(blank=Blank.CLEAR), required=True, fallback="none"),
        *(field_of(name, rule=rule) for name, rule in rules(policies.named).items()),
    ]
    return (
        contacts(
            *fields,
            exclude=(Filter("both_hold_revert_keep", ("z",)),) if policies.named else (),
            **wholes,
        ),
        tasks(
            field_of("title", required=True),
            field_of("due", Date()),
            field_of("completed", Bool()),
            **{**wholes, "match": (("title", "due"), ("title",))},
        ),
        notes(field_of("body"), **wholes),
    )


def behaviour(f: Field) -> Behaviour:
    """The same field in the oracle's words."""
    rule = f.rule
    words = (rule.flow.value, rule.conflict.value, rule.drift.value, rule.blank.value)
    bad = frozenset({BAD}) if isinstance(f.codec, Date) else frozenset[str]()
    return Behaviour(*words, f.required, f.fallback, is_set=f.name == "tags", bad=bad)


def kind(m: EntityMap) -> Kind:
    """The same entity in the oracle's words."""
    return Kind(
        m.entity.value,
        {f.name: behaviour(f) for f in m.fields},
        m.match,
        m.create.value,
        {side.value: policy.value for side, policy in m.delete.items()},
        m.absent_runs,
        {f.field: frozenset(f.values) for f in m.exclude},
    )


CASES = 150
"""Small worlds in one."""


@dataclass
class Small:
    """A world of many small cases, before it is put anywhere: by side, records; and the links between them."""

    chance: Random
    policies: Policies

    def __post_init__(self) -> None:
        self.maps = mapped(self.policies)
        self.people = {m.entity: Population(kind(m), {"app": {}, "ghl": {}}, []) for m in self.maps}
        self.made = 0
        self.case_of: dict[str, int] = {}
        self.cases = 0

    def cells(
        self, m: EntityMap, likely: dict[str, str | None] | None = None
    ) -> dict[str, str | None]:
        """Random cells; each is one of `likely` four times in five."""
        found: dict[str, str | None] = {}
        for f in m.fields:
            if likely is not None and self.chance.random() < 0.8:
                found[f.name] = likely.get(f.name)
            elif f.name == "tags":
                some = sorted(self.chance.sample(TAGS, self.chance.randint(0, 3)))
                found[f.name] = json.dumps(some, separators=(",", ":")) if some else None
            elif isinstance(f.codec, Date):
                found[f.name] = self.chance.choice((None, "2026-01-01", "2026-01-02", BAD))
            elif isinstance(f.codec, Bool):
                found[f.name] = self.chance.choice((None, "true", "false"))
            elif f.name not in ("email", "phone"):
                found[f.name] = self.chance.choice(VALUES)
        return {name: cell for name, cell in found.items() if cell is not None}

    def since(self, m: EntityMap, base: dict[str, str | None]) -> dict[str, str | None]:
        """What became of these cells: nothing in half of the cases."""
        return dict(base) if self.chance.random() < 0.5 else self.cells(m, base)

    def add(
        self,
        entity: Entity,
        side: str,
        cells: dict[str, str | None],
        parent: str | None = None,
        further: tuple[str, ...] = (),
    ) -> str:
        """One record; `further` are more email addresses of it."""
        self.made += 1
        key = f"{side}-{entity}-{self.made:05d}"
        order = self.chance.randint(1, 3)
        self.case_of[key] = self.cases
        self.people[entity].rows[side][key] = Row(
            key, cells, parent, order, {"email": further} if further else {}
        )
        return key

    def tie(
        self,
        entity: Entity,
        keys: dict[str, str],
        base: dict[str, Any],
        parent: str | None = None,
        *,
        absent: int | None = None,
    ) -> Tie:
        """One link, with a baseline, and in how many runs an end was missing before."""
        self.made += 1
        tie = Tie(
            f"link{self.made:05d}",
            keys["app"],
            keys["ghl"],
            base["app"],
            base["ghl"],
            parent,
            self.chance.randint(0, 1) if absent is None else absent,
        )
        self.people[entity].ties.append(tie)
        return tie

    def linked(self, entity: Entity, parent: Tie | None, identity: dict[str, str | None]) -> Tie:
        """A linked record with either end there, moved, or gone."""
        m = next(m for m in self.maps if m.entity is entity)
        common = self.cells(m) | identity
        base = {side: self.cells(m, common) | identity for side in ("app", "ghl")}
        keys = {}
        for side in ("app", "ghl"):
            there = self.chance.random() < 0.85
            mine = parent.key(side) if parent else None
            if parent is not None and mine not in self.people[Entity.CONTACT].rows[side]:
                there = False
            if there:
                keys[side] = self.add(entity, side, self.since(m, base[side]) | identity, mine)
            else:
                self.made += 1
                keys[side] = f"{side}-{entity}-{self.made:05d}"
        return self.tie(entity, keys, base, parent.name if parent else None)

    def case(self) -> None:
        """One small world: a linked contact or an identity that several records share, with what hangs on it."""
        number = self.made
        self.cases += 1
        identity: dict[str, str | None] = (
            {"email": f"p{number}@x.com"}
            if self.chance.random() < 0.7
            else {"phone": f"+1888{5550000 + number}"}
        )
        owners: list[dict[str, str]] = []
        ties: list[Tie | None] = []
        if self.chance.random() < 0.7:
            tie = self.linked(Entity.CONTACT, None, identity)
            ties.append(tie)
            owners.append(
                {
                    side: tie.key(side)
                    for side in ("app", "ghl")
                    if tie.key(side) in self.people[Entity.CONTACT].rows[side]
                }
            )
        if not ties or self.chance.random() < 0.15:
            found: dict[str, str] = {}
            shared = self.cells(self.maps[0])
            for side in ("app", "ghl"):
                for _ in range(
                    self.chance.choice((0, 1, 1, 1, 1, 2) if not ties else (0, 1, 1, 2))
                ):
                    found[side] = self.add(
                        Entity.CONTACT, side, self.cells(self.maps[0], shared) | identity
                    )
            owners.append(found)
            ties.append(None)
        for owner, contact in zip(owners, ties, strict=True):
            self.hang(owner, contact)

    def crossing(self) -> None:
        """A handful of contacts that share two addresses and two numbers among them, some of them linked."""
        number = self.made
        self.cases += 1
        emails, phones = (
            [f"p{number}@x.com", f"q{number}@x.com", None],
            [f"+1888{5550000 + number}", f"+1877{5550000 + number}", None],
        )
        m = self.maps[0]

        def known(was: dict[str, str | None] | None = None) -> dict[str, str | None]:
            if was is not None and self.chance.random() < 0.6:
                return was
            cells = {"email": self.chance.choice(emails), "phone": self.chance.choice(phones)}
            return {name: cell for name, cell in cells.items() if cell is not None}

        def further() -> tuple[str, ...]:
            return (str(self.chance.choice(emails[:2])),) if self.chance.random() < 0.15 else ()

        for _ in range(self.chance.choice((0, 0, 1, 2))):
            common = self.cells(m)
            base = {side: self.since(m, common) | known() for side in ("app", "ghl")}
            keys, absent = {}, self.chance.randint(0, 1)
            for side in ("app", "ghl"):
                was = {name: base[side][name] for name in ("email", "phone") if name in base[side]}
                own = known(was)
                other = own and all(own.get(name) != value for name, value in was.items())
                if other and was and (len(was) > 1 or absent):
                    # That is another person, of whom tests/reconcile/test_times.py asks, and
                    # test_reused_keys.py where somebody was missing.
                    name = next(iter(was))
                    own[name] = was[name]
                if self.chance.random() < 0.85:
                    now = self.since(
                        m, {k: v for k, v in base[side].items() if k not in ("email", "phone")}
                    )
                    keys[side] = self.add(Entity.CONTACT, side, now | own, None, further())
                else:
                    self.made += 1
                    keys[side] = f"{side}-{Entity.CONTACT}-{self.made:05d}"
            self.tie(Entity.CONTACT, keys, base, absent=absent)
        shared = self.cells(m)
        for side in ("app", "ghl"):
            for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
                self.add(Entity.CONTACT, side, self.cells(m, shared) | known(), None, further())

    def hang(self, owner: dict[str, str], contact: Tie | None) -> None:
        """Tasks and notes under one contact."""
        for m in self.maps[1:]:
            if contact is not None and self.chance.random() < 0.5:
                for _ in range(self.chance.randint(1, 2)):
                    self.linked(m.entity, contact, {})
            shared = self.cells(m)
            for side, key in sorted(owner.items()):
                for _ in range(self.chance.choice((0, 0, 0, 1, 1, 2))):
                    self.add(m.entity, side, self.cells(m, shared), key)

    def answered(self, holds: Iterable[Hold]) -> list[tuple[Hold, str]]:
        """Some of the questions with one of their options each: any conflicts, and of a case at most one about whole records."""
        found, cases = [], set()
        for hold in self.chance.sample(
            ordered := sorted(holds, key=lambda hold: hold.hold_id), len(ordered)
        ):
            case = self.case_of.get(str(hold.app_key), self.case_of.get(str(hold.ghl_key)))
            whole = hold.kind != "conflict"
            if hold.options and self.chance.random() < 0.5 and not (whole and case in cases):
                cases |= {case} if whole else set()
                found.append((hold, self.chance.choice(hold.options)))
        return found

    def swapped(self) -> Small:
        """The same world with the sides exchanged."""
        turn = {"app": "ghl", "ghl": "app"}
        other = Small(
            self.chance,
            Policies(
                self.policies.create, self.policies.delete, self.policies.absent_runs, named=False
            ),
        )
        for entity, population in self.people.items():
            mine = other.people[entity]
            mine.rows.update({turn[side]: rows for side, rows in population.rows.items()})
            mine.ties.extend(
                Tie(t.name, t.ghl_key, t.app_key, t.ghl, t.app, t.parent, t.absent)
                for t in population.ties
            )
        return other

    def world(self, *, shuffled: Random | None = None) -> World:
        """The world for real: two memory sides and a ledger that knows the links."""
        world = World(mapping=mapping_of(*self.maps))
        for m in self.maps:
            for side in Side:
                rows = self.people[m.entity].rows[side.value]
                for row in sorted(rows.values(), key=lambda row: row.order):
                    self._put(world, m, side, row)
        rows_of = [
            _link_row(m.entity, tie) for m in self.maps for tie in self.people[m.entity].ties
        ]
        with world.ledger.transaction() as connection:
            world.ledger.put_links(connection, rows_of)
            world.ledger.advance(
                connection, PairState(generation=1, mapping_digest=world.mapping.digest)
            )
        if shuffled is not None:
            for side in Side:
                world.sides[side].shuffle(shuffled)
        return world

    @staticmethod
    def _put(world: World, m: EntityMap, side: Side, row: Row) -> None:
        connector = world.sides[side]
        for f in m.fields:
            connector._fields[m.entity].setdefault(f.name, FieldInfo())
        native: dict[str, Json] = {
            name: json.loads(cell) if name == "tags" else cell
            for name, cell in row.cells.items()
            if cell is not None
        }
        for name, values in row.further.items():
            connector._fields[m.entity].setdefault(f"more_{name}s", FieldInfo())
            native[f"more_{name}s"] = list(values)
        at, connector._clock = connector._clock, Ticks(f"2025-01-0{row.order}T00:00:00Z")
        connector.put(m.entity, native, key=row.key, parent=row.parent)
        connector._clock = at


def random_small(seed: int, *, named: bool = True) -> Small:
    """As many cases as `CASES`, under policies by chance."""
    chance = Random(seed)  # noqa: S311 - a reproducible choice, no secret
    deletes = [OnDelete.MIRROR, OnDelete.HOLD, OnDelete.IGNORE, OnDelete.ARCHIVE]
    policies = Policies(
        create=chance.choice(list(OnCreate)) if named and seed % 2 else OnCreate.BOTH,
        delete={side: chance.choice(deletes) for side in Side}
        if named
        else dict.fromkeys(Side, chance.choice(deletes)),
        absent_runs=chance.choice((1, 2)),
        named=named,
    )
    small = Small(chance, policies)
    for _ in range(CASES):
        small.case()
        if chance.random() < 0.4:
            small.crossing()
    return small


def _link_row(entity: Entity, tie: Tie) -> dict[str, object]:
    blank = {f"{side}_{what}": None for side in Side for what in ("digest", "modified", "written")}
    return {
        "entity": entity.value,
        "link_id": tie.name,
        "app_key": tie.app_key,
        "ghl_key": tie.ghl_key,
        "parent": tie.parent,
        "how": "email",
        "since_run": "r0",
        "app_cells": json.dumps(dict(tie.app)),
        "ghl_cells": json.dumps(dict(tie.ghl)),
        "app_absent": tie.absent,
        "ghl_absent": tie.absent,
        **blank,
    }


def said(result: Result) -> Verdicts:
    """An engine's plan in the oracle's words: values that have to be written in turns are one change of their record all the same."""
    verdicts = Verdicts()
    changes: dict[tuple[str, ...], dict[str, Any]] = {}
    for o in result.operations:
        match o.kind:
            case OpKind.ADOPT:
                told: tuple[Any, ...] = ("adopt", o.entity.value, o.source_key, o.key)
            case OpKind.FORGET:
                keys = (o.source_key, o.key) if o.side is Side.GHL else (o.key, o.source_key)
                told = ("forget", o.entity.value, *keys)
            case OpKind.CREATE:
                told = (
                    "create",
                    o.entity.value,
                    o.side.value,
                    o.source_key,
                    tuple(sorted(o.after.items())),
                )
            case OpKind.DELETE | OpKind.ARCHIVE:
                told = (o.kind.value, o.entity.value, o.side.value, o.key)
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                told = (
                    o.kind.value,
                    "tag",
                    o.side.value,
                    o.key,
                    tuple(json.loads(o.after["tags"] or "[]")),
                )
            case _:
                changes.setdefault(
                    (o.kind.value, o.entity.value, o.side.value, str(o.key)), {}
                ).update(o.after)
                continue
        verdicts.operations.add(told)
    for record, values in changes.items():
        verdicts.operations.add((*record, tuple(sorted(values.items()))))
    verdicts.excluded = {
        (entity, side, key)
        for entity, side, key, _, because in result.passed
        if "left out by an exclude rule has" in because
    }
    verdicts.holds = set(map(named, result.holds))
    return verdicts


def named(hold: Hold) -> tuple[str, str, str | None, str | None, str | None]:
    """A hold in the oracle's words."""
    return (hold.kind, hold.entity.value, hold.app_key, hold.ghl_key, hold.field)
