"""What a plan must say, worked out record by record from the rules as they are written down; it shares no code with the engine."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Cells = Mapping[str, str | None]
End = tuple[str, str]
SIDES = ("app", "ghl")


@dataclass(frozen=True)
class Row:
    """One record of one side, in canonical values; `further` has more values of a field, such as a second email address.

    `order` tells which of two records was changed later.
    """

    key: str
    cells: Cells
    parent: str | None = None
    order: int = 0
    further: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tie:
    """One link with what each side last showed, and how many complete runs its missing end has been missing."""

    name: str
    app_key: str
    ghl_key: str
    app: Cells
    ghl: Cells
    parent: str | None = None
    absent: int = 0

    def key(self, side: str) -> str:
        return self.app_key if side == "app" else self.ghl_key

    def base(self, side: str) -> Cells:
        return self.app if side == "app" else self.ghl


@dataclass(frozen=True)
class Behaviour:
    """A field's rules in words: flow both|app->ghl|ghl->app, conflict hold|app|ghl|newest|union, drift revert|leave, blank keep|clear."""

    flow: str = "both"
    conflict: str = "hold"
    drift: str = "revert"
    blank: str = "keep"
    required: bool = False
    fallback: str | None = None
    is_set: bool = False
    bad: frozenset[str] = frozenset()

    @property
    def owner(self) -> str | None:
        return {"app->ghl": "app", "ghl->app": "ghl"}.get(self.flow)


@dataclass(frozen=True)
class Kind:
    """One entity's rules."""

    name: str
    fields: Mapping[str, Behaviour]
    match: tuple[tuple[str, ...], ...] = ()
    create: str = "both"
    delete: Mapping[str, str] = field(default_factory=lambda: {"app": "hold", "ghl": "hold"})
    absent_runs: int = 1
    excluded: Mapping[str, frozenset[str | None]] = field(default_factory=dict)


@dataclass
class Verdicts:
    """What was concluded: operations (kind, entity, side, keys, values) and holds (kind, entity, app key, ghl key, field).

    And what is left out by an exclude rule (entity, side, key). `answers` are a person's, by hold.
    """

    operations: set[tuple[Any, ...]] = field(default_factory=set)
    holds: set[tuple[Any, ...]] = field(default_factory=set)
    excluded: set[tuple[str, str, str]] = field(default_factory=set)
    answers: Mapping[tuple[Any, ...], str] = field(default_factory=dict)

    def ask(self, *hold: Any) -> str | None:
        """The answer to a question; where there is none, it is asked."""
        choice = self.answers.get(hold)
        if choice is None:
            self.holds.add(hold)
        return choice

    def linked(self, kind: str, keys: Iterable[str]) -> list[tuple[str, str]]:
        """Those of the app's records that a person linked, each with its other end."""
        named = [(key, self.answers.get(("ambiguous", kind, key, None, None), "")) for key in keys]
        return [
            (key, choice.removeprefix("link:"))
            for key, choice in named
            if choice.startswith("link:")
        ]


@dataclass
class Population:
    """Everything of one entity."""

    kind: Kind
    rows: dict[str, dict[str, Row]]
    ties: list[Tie]


def conclude(
    contacts: Population,
    children: Iterable[Population] = (),
    answers: Mapping[tuple[Any, ...], str] | None = None,
) -> Verdicts:
    """The whole plan of a world whose snapshots are complete."""
    verdicts = Verdicts(answers=answers or {})
    contacts, families = _released(contacts, list(children), verdicts)
    gone = {t.name: side for t in contacts.ties if (side := _gone(contacts, t)) is not None}
    found, orphans = _Matching(contacts, verdicts).match()
    _compare(contacts, [*contacts.ties, *found], verdicts)
    for tie in contacts.ties:
        if tie.name in gone:
            _absent(contacts, tie, gone[tie.name], verdicts, families)
    _create(contacts, orphans, verdicts, parents=None)
    for family in families:
        _children(family, contacts, [*contacts.ties, *found], gone, verdicts, orphans)
    return verdicts


def _released(
    contacts: Population, children: list[Population], verdicts: Verdicts
) -> tuple[Population, list[Population]]:
    """The same without the links that a person wants made anew; what hangs on a contact and lost the same end goes with it."""
    released: dict[str, str] = {}
    made = []
    for population in [contacts, *children]:
        kind, ties = population.kind.name, []
        for tie in population.ties:
            lost = _gone(population, tie)
            choice = verdicts.answers.get(("delete", kind, tie.app_key, tie.ghl_key, None))
            if lost in SIDES and (
                choice in ("restore", "relink") or released.get(str(tie.parent)) == lost
            ):
                released[tie.name] = str(lost)
                verdicts.operations.add(("forget", kind, tie.app_key, tie.ghl_key))
            elif (
                kind != "note" or tie.parent not in released
            ):  # of notes without a linked contact nothing is known
                ties.append(tie)
        made.append(Population(population.kind, population.rows, ties))
    return made[0], made[1:]


def _excluded(kind: Kind, row: Row) -> bool:
    return any(row.cells.get(name) in values for name, values in kind.excluded.items())


def _both(population: Population, tie: Tie) -> tuple[Row | None, Row | None]:
    return population.rows["app"].get(tie.app_key), population.rows["ghl"].get(tie.ghl_key)


def _gone(population: Population, tie: Tie) -> str | None:
    app, ghl = _both(population, tie)
    if app is None and ghl is None:
        return "both"
    return "app" if app is None else "ghl" if ghl is None else None


# fields ----------------------------------------------------------------------------------------------------------


def three_way(
    rule: Behaviour,
    base: Mapping[str, str | None],
    now: Mapping[str, str | None],
    newer: str | None,
) -> str | None:
    """Which side's value both shall have: "app" or "ghl"; None where nothing is done; "ask" where a person decides."""
    if now["app"] == now["ghl"]:
        return None
    movers = [side for side in SIDES if now[side] != base[side]]
    if not movers:
        return None if _wanted_apart(rule, now) else "ask"
    winner = _winner(rule, movers, now, newer)
    if (
        winner in SIDES
        and now[winner] is None
        and rule.blank == "keep"
        and rule.conflict != "union"
    ):
        return None
    if winner in SIDES and now[winner] is None and rule.blank == "keep" and len(movers) == 1:
        return None
    return winner


def _wanted_apart(rule: Behaviour, now: Mapping[str, str | None]) -> bool:
    """Whether a rule wants two values apart that did not move."""
    if rule.owner is not None and rule.drift == "leave":
        return True
    may_be_blank = [rule.owner] if rule.owner is not None else list(SIDES)
    if rule.blank == "keep" and any(now[side] is None for side in may_be_blank):
        return True
    return None in now.values() and rule.fallback is not None and rule.fallback in now.values()


def _winner(
    rule: Behaviour, movers: list[str], now: Mapping[str, str | None], newer: str | None
) -> str | None:
    if rule.owner is not None:
        only_the_other = movers == [_across(rule.owner)]
        return None if only_the_other and rule.drift == "leave" else rule.owner
    if len(movers) == 1:
        return movers[0]
    filled = [side for side in SIDES if now[side] is not None]
    if rule.conflict == "union" or (rule.blank == "keep" and len(filled) == 1):
        return filled[0]
    if rule.conflict == "newest":
        return newer or "ask"
    return rule.conflict if rule.conflict in SIDES else "ask"


def _across(side: str) -> str:
    return "ghl" if side == "app" else "app"


def _compare(population: Population, ties: Iterable[Tie], verdicts: Verdicts) -> None:
    for tie in ties:
        app, ghl = _both(population, tie)
        if (
            app is None
            or ghl is None
            or _excluded(population.kind, app)
            or _excluded(population.kind, ghl)
        ):
            continue
        newer = None if app.order == ghl.order else "app" if app.order > ghl.order else "ghl"
        sent: dict[str, dict[str, str | None]] = {"app": {}, "ghl": {}}
        for name, rule in population.kind.fields.items():
            now = {"app": app.cells.get(name), "ghl": ghl.cells.get(name)}
            base = {side: tie.base(side).get(name) for side in SIDES}
            if rule.is_set:
                _compare_set(population, tie, rule, base, now, newer, verdicts)
                continue
            winner = three_way(rule, base, now, newer)
            if winner == "ask":
                winner = verdicts.ask(
                    "conflict", population.kind.name, tie.app_key, tie.ghl_key, name
                )
            if winner not in SIDES:
                continue
            if now[winner] in rule.bad or (rule.required and now[winner] is None):
                verdicts.holds.add(
                    ("unsyncable", population.kind.name, tie.app_key, tie.ghl_key, name)
                )
            else:
                sent[_across(winner)][name] = now[winner]
        for side, values in sent.items():
            if values:
                kind = "complete" if side == "ghl" and set(values) == {"completed"} else "update"
                verdicts.operations.add(
                    (kind, population.kind.name, side, tie.key(side), tuple(sorted(values.items())))
                )


def _compare_set(
    population: Population,
    tie: Tie,
    rule: Behaviour,
    base: Any,
    now: Any,
    newer: str | None,
    verdicts: Verdicts,
) -> None:
    held = {side: set(json.loads(now[side] or "[]")) for side in SIDES}
    was = {side: set(json.loads(base[side] or "[]")) for side in SIDES}
    changes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in held["app"] | held["ghl"] | was["app"] | was["ghl"]:
        there = {side: item if item in held[side] else None for side in SIDES}
        before = {side: item if item in was[side] else None for side in SIDES}
        winner = three_way(rule, before, there, newer)
        if winner == "ask":
            winner = verdicts.ask("conflict", "contact", tie.app_key, tie.ghl_key, f"tags: {item}")
        if winner in SIDES:
            changes[_across(winner), "add_tags" if there[winner] else "remove_tags"].append(item)
    for (side, kind), items in changes.items():
        verdicts.operations.add((kind, "tag", side, tie.key(side), tuple(sorted(items))))


# what is missing, and what is new ----------------------------------------------------------------------------------


def _absent(
    population: Population, tie: Tie, gone: str, verdicts: Verdicts, families: list[Population]
) -> None:
    kind = population.kind
    if gone == "both":
        verdicts.operations.add(("forget", kind.name, tie.app_key, tie.ghl_key))
        return
    kept = _across(gone)
    row = population.rows[kept][tie.key(kept)]
    if tie.absent + 1 < kind.absent_runs or _excluded(kind, row):
        return
    policy = kind.delete[kept]
    touched = _differs(kind, row.cells, tie.base(kept)) or any(
        _child_touched(f, tie, kept) for f in families
    )
    merged = kind.name == "contact" and _survivor(population, tie, row, gone)
    if merged or (touched and policy != "ignore") or policy == "hold":
        choice = verdicts.ask("delete", kind.name, tie.app_key, tie.ghl_key, None)
        if choice == "delete":
            verdicts.operations.add(("delete", kind.name, kept, tie.key(kept)))
    elif policy != "ignore":
        verdicts.operations.add(
            ("delete" if policy == "mirror" else policy, kind.name, kept, tie.key(kept))
        )


def _differs(kind: Kind, cells: Cells, base: Cells) -> bool:
    return any(cells.get(name) != base.get(name) for name in kind.fields)


def _child_touched(family: Population, contact: Tie, side: str) -> bool:
    linked = {tie.key(side): tie for tie in family.ties}
    for row in family.rows[side].values():
        if row.parent != contact.key(side):
            continue
        tie = linked.get(row.key)
        if (tie is None and not _excluded(family.kind, row)) or (
            tie and _differs(family.kind, row.cells, tie.base(side))
        ):
            return True
    return False


def _survivor(population: Population, tie: Tie, kept: Row, gone: str) -> bool:
    """Whether a record has an identity of the one left alone, or of its lost end; what contradicts it is nobody's heir.

    A record that is linked itself counts under rules of one field alone: relatives share a name and a postal code.
    """
    kind, lost = population.kind, Row("", tie.base(gone))
    if any(
        _meet(kind, kept, row, at) for row in _new(population, gone) for at in _rules(population)
    ):
        return True
    rows = [row for row in population.rows[gone].values() if not _excluded(kind, row)]
    single = [at for at in _rules(population) if len(kind.match[at]) == 1]
    return any(_meet(kind, one, row, at) for one in (kept, lost) for row in rows for at in single)


def _rules(population: Population) -> range:
    return range(len(population.kind.match))


def _new(population: Population, side: str) -> list[Row]:
    linked = {tie.key(side) for tie in population.ties}
    rows = population.rows[side].values()
    return [row for row in rows if row.key not in linked and not _excluded(population.kind, row)]


def _identities(row: Row, rule: tuple[str, ...]) -> set[tuple[str, ...]]:
    """All that a record is known by under a rule; further values count where the rule names one field."""
    values = [row.cells.get(name) for name in rule]
    found = set() if None in values else {tuple(str(value) for value in values)}
    return found | (
        {(value,) for value in row.further.get(rule[0], ())} if len(rule) == 1 else set()
    )


def _strong(kind: Kind, row: Row, at: int) -> bool:
    """Whether a record is known by something under an earlier rule."""
    return any(_identities(row, rule) for rule in kind.match[:at])


def _meet(kind: Kind, one: Row, other: Row, at: int) -> bool:
    """Whether two records share an identity under a rule, and do not contradict each other under an earlier one."""
    shared = _identities(one, kind.match[at]) & _identities(other, kind.match[at])
    return bool(shared) and not (_strong(kind, one, at) and _strong(kind, other, at))


def made_beside_their_like(population: Population, verdicts: Verdicts) -> list[tuple[str, str]]:
    """Creates (record, its like) of which the other side has one already, or will have: this alone is what makes duplicates."""
    kind, found = population.kind, []
    created = {(_across(o[2]), o[3]) for o in verdicts.operations if o[:2] == ("create", kind.name)}
    rows = {(side, row.key): row for side in SIDES for row in population.rows[side].values()}
    known: dict[Any, list[End]] = defaultdict(list)
    for end, row in rows.items():
        for at in _rules(population):
            for identity in _identities(row, kind.match[at]):
                known[at, identity].append(end)
    linked = {("app", tie.app_key) for tie in population.ties} | {
        ("ghl", tie.ghl_key) for tie in population.ties
    }
    for (at, _), ends in known.items():
        for one in created.intersection(ends):
            for other in ends:
                apart = other[0] == one[0] and other not in linked and _excluded(kind, rows[other])
                if other != one and not apart and _meet(kind, rows[one], rows[other], at):
                    found.append((one[1], other[1]))
    return found


class _Matching:
    """Rule by rule: alone on both sides is linked, alone on one side goes on to the next rule, anything else is held.

    What is linked or held already is seen by every later rule: nothing new is made beside it. So is what could as well belong
    to a linked record that lost its other end, and what the rules leave out.
    """

    def __init__(self, population: Population, verdicts: Verdicts) -> None:
        self.population, self.kind, self.verdicts = population, population.kind, verdicts
        self.found: list[Tie] = []
        self.state: dict[End, str] = {}
        self.wanted: set[End] = set()
        for side in SIDES:
            for row in population.rows[side].values():
                self.state[side, row.key] = "excluded" if _excluded(self.kind, row) else "free"
            for tie in population.ties:
                if tie.key(side) in population.rows[side]:
                    self.state[side, tie.key(side)] = "linked"

    def rows(self, side: str, *states: str) -> list[Row]:
        return [
            row
            for row in self.population.rows[side].values()
            if self.state[side, row.key] in states
        ]

    def match(self) -> tuple[list[Tie], dict[str, list[Row]]]:
        for app, ghl in self.verdicts.linked(
            self.kind.name, [row.key for row in self.rows("app", "free")]
        ):
            self.link(app, ghl)
        for at in _rules(self.population):
            asked, pairs = self.across(at)
            for side, key in asked:
                self.hold("ambiguous", side, key)
            for app, ghl in pairs:
                self.link(app, ghl)
            for side in SIDES:
                self.leave(side, at)
            for side in SIDES:
                self.beside(side, at, self.rows(_across(side), "linked"))
            for side in SIDES:
                self.twins(side, at)
        for side, key in self.wanted:
            self.state[side, key] = "free"
        return self.found, {
            side: sorted(self.rows(side, "free"), key=lambda row: row.key) for side in SIDES
        }

    def across(self, at: int) -> tuple[set[End], set[tuple[str, str]]]:
        """What meets under a rule: the ends to be held, and the pairs (app key, ghl key) that are beyond doubt."""
        asked: set[End] = set()
        pairs: set[tuple[str, str]] = set()
        for identity, group in self.groups(at).items():
            free = {
                (side, row.key)
                for side in SIDES
                for row in group[side]
                if self.state[side, row.key] == "free"
            }
            if len(group["app"]) == len(group["ghl"]) == 1 and len(free) == 2:
                pairs.add((group["app"][0].key, group["ghl"][0].key))
            asked |= free if self.inherited(identity, at) else self.doubtful(group, free, at)
        for app, ghl in pairs:
            torn = (
                sum(app == other for other, _ in pairs) > 1
                or sum(ghl == other for _, other in pairs) > 1
            )
            if torn:
                asked |= {("app", app), ("ghl", ghl)}
        asked |= {
            end
            for app, ghl in pairs
            if asked & {("app", app), ("ghl", ghl)}
            for end in (("app", app), ("ghl", ghl))
        }
        return asked, {(app, ghl) for app, ghl in pairs if ("app", app) not in asked}

    def groups(self, at: int) -> dict[Any, dict[str, list[Row]]]:
        """What has no link, held or not, by its identities under a rule: those that are on both sides."""
        groups: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: {"app": [], "ghl": []})
        for side in SIDES:
            for row in self.rows(side, "free", "held"):
                for identity in _identities(row, self.kind.match[at]):
                    groups[identity][side].append(row)
        return {
            identity: group for identity, group in groups.items() if group["app"] and group["ghl"]
        }

    def doubtful(self, group: dict[str, list[Row]], free: set[End], at: int) -> set[End]:
        """Which ends of one identity are held: two alone that contradict each other; of more, those that do not."""
        strong = {side: all(_strong(self.kind, row, at) for row in group[side]) for side in SIDES}
        if len(group["app"]) == len(group["ghl"]) == 1 and len(free) == 2:
            return free if all(strong.values()) else set()
        known = {
            (side, row.key): _strong(self.kind, row, at) for side in SIDES for row in group[side]
        }
        return {end for end in free if not (known[end] and strong[_across(end[0])])}

    def inherited(self, identity: tuple[str, ...], at: int) -> bool:
        """Whether under this identity a record without a link could be what a linked one was merged into."""
        rule = self.kind.match[at]
        for tie in self.population.ties:
            gone = _gone(self.population, tie)
            if gone not in SIDES:
                continue
            kept = self.population.rows[_across(gone)][tie.key(_across(gone))]
            for row in _new(self.population, gone):
                shared = identity in _identities(row, rule) & _identities(kept, rule)
                if shared and not (_strong(self.kind, row, at) and _strong(self.kind, kept, at)):
                    return True
        return False

    def link(self, app: str, ghl: str) -> None:
        self.found.append(Tie(app, app, ghl, {}, {}))
        self.verdicts.operations.add(("adopt", self.kind.name, app, ghl))
        self.state["app", app] = self.state["ghl", ghl] = "linked"

    def hold(self, why: str, side: str, key: str) -> None:
        keys = (key, None) if side == "app" else (None, key)
        if self.verdicts.ask(why, self.kind.name, *keys, None) == "create":
            self.wanted.add((side, key))
        self.state[side, key] = "held"

    def leave(self, side: str, at: int) -> None:
        """A record whose counterpart is left out by a rule is left out as well."""
        aside = self.rows(_across(side), "excluded")
        for row in self.rows(side, "free"):
            if any(_meet(self.kind, row, other, at) for other in aside):
                self.verdicts.excluded.add((self.kind.name, side, row.key))
                self.state[side, row.key] = "held"

    def beside(self, side: str, at: int, others: list[Row]) -> None:
        for row in self.rows(side, "free"):
            if any(_meet(self.kind, row, other, at) for other in others):
                self.hold("duplicate", side, row.key)

    def twins(self, side: str, at: int) -> None:
        """A record that shares an identity with others of its own side, unless all of them are known by something stronger."""
        rule, own = self.kind.match[at], self.rows(side, "free", "held", "linked")
        crowded = []
        for row in self.rows(side, "free"):
            for identity in _identities(row, rule):
                crowd = [other for other in own if identity in _identities(other, rule)]
                if len(crowd) > 1 and not all(_strong(self.kind, other, at) for other in crowd):
                    crowded.append(row.key)
        for key in set(crowded):
            self.hold("duplicate", side, key)


def _create(
    population: Population, orphans: dict[str, list[Row]], verdicts: Verdicts, parents: Any
) -> None:
    kind = population.kind
    for side, rows in orphans.items():
        target = _across(side)
        if kind.create not in ("both", target):
            continue
        for row in rows:
            if parents is not None and not parents(side, row):
                continue
            values: dict[str, str] = {}
            lacking = False
            for name, rule in kind.fields.items():
                if rule.owner not in (None, side):
                    continue
                value = row.cells.get(name)
                if rule.required and value in rule.bad:
                    lacking = True
                value = rule.fallback if value is None or value in rule.bad else value
                lacking = lacking or (rule.required and value is None)
                if value is not None:
                    values[name] = value
            if not lacking:
                verdicts.operations.add(
                    ("create", kind.name, target, row.key, tuple(sorted(values.items())))
                )


# tasks and notes ---------------------------------------------------------------------------------------------------


def _children(
    family: Population,
    contacts: Population,
    owners: list[Tie],
    gone: Mapping[str, str],
    verdicts: Verdicts,
    new: dict[str, list[Row]],
) -> None:
    out = _left_out(contacts)
    owners = [tie for tie in owners if tie.name not in out]
    owner = {side: {tie.key(side): tie.name for tie in owners} for side in SIDES}
    created = {op[3] for op in verdicts.operations if op[0] == "create" and op[1] == "contact"}
    for side, rows in new.items():
        owner[side] |= {row.key: f"new {row.key}" for row in rows if row.key in created}
    found, orphans, wanted = _match_children(family, owner, verdicts)
    # GHL tells notes contact by contact: of a contact that is gone it says nothing.
    unread = {
        tie.name
        for tie in family.ties
        if family.kind.name == "note" and gone.get(str(tie.parent)) in ("ghl", "both")
    }
    anew = _made_anew(family, owner, orphans, unread, verdicts)
    found += anew.values()
    orphans = {side: [*orphans[side], *wanted[side]] for side in SIDES}
    family = Population(
        family.kind, family.rows, [tie for tie in family.ties if tie.name not in anew]
    )
    inside = [tie for tie in family.ties if tie.parent not in out]
    _compare(family, [*inside, *found], verdicts)
    for tie in family.ties:
        lost = _gone(family, tie)
        if tie.name in unread or (tie.parent in out and lost != "both"):
            continue
        if lost is not None and not (
            lost != "both" and gone.get(str(tie.parent)) in (lost, "both")
        ):
            _absent(family, tie, lost, verdicts, [])

    def has_parent(side: str, row: Row) -> bool:
        name = owner[side].get(str(row.parent))
        return name is not None and gone.get(name) not in (_across(side), "both")

    _create(family, orphans, verdicts, parents=has_parent)


def _left_out(contacts: Population) -> set[str | None]:
    """The linked contacts of which a rule leaves a record out: what hangs on them is left out with them."""
    return {
        tie.name
        for tie in contacts.ties
        for side in SIDES
        if (row := contacts.rows[side].get(tie.key(side))) is not None
        and _excluded(contacts.kind, row)
    }


def _match_children(
    family: Population, owner: Any, verdicts: Verdicts
) -> tuple[list[Tie], dict[str, list[Row]], dict[str, list[Row]]]:
    """New links, the rows that nothing meets, and those in doubt that a person wants created."""
    kind = family.kind
    linked = {side: {tie.key(side) for tie in family.ties} for side in SIDES}
    free = {
        side: {
            k: r
            for k, r in sorted(family.rows[side].items())
            if k not in linked[side] and not _excluded(kind, r)
        }
        for side in SIDES
    }
    found: list[Tie] = []

    def pair(app: Row, ghl: Row) -> None:
        found.append(Tie(app.key, app.key, ghl.key, {}, {}))
        verdicts.operations.add(("adopt", kind.name, app.key, ghl.key))
        free["app"].pop(app.key)
        free["ghl"].pop(ghl.key)

    for app, ghl in verdicts.linked(kind.name, free["app"]):
        pair(free["app"][app], free["ghl"][ghl])
    for app in list(free["app"].values()):
        parent = owner["app"].get(str(app.parent))
        same = [
            g
            for g in free["ghl"].values()
            if parent is not None
            and owner["ghl"].get(str(g.parent)) == parent
            and not _differs(kind, app.cells, g.cells)
        ]
        if same:
            pair(app, same[0])
    held: dict[str, dict[str, Row]] = {"app": {}, "ghl": {}}
    wanted: dict[str, list[Row]] = {"app": [], "ghl": []}
    for rule in kind.match:
        for group in _within_parents(
            rule, owner, {side: {**free[side], **held[side]} for side in SIDES}
        ):
            asked = [(side, row) for side in SIDES for row in group[side] if row.key in free[side]]
            if len(group["app"]) == len(group["ghl"]) == 1 and len(asked) == 2:
                pair(group["app"][0], group["ghl"][0])
                continue
            for side, row in asked if group["app"] and group["ghl"] else ():
                keys = (row.key, None) if side == "app" else (None, row.key)
                held[side][row.key] = free[side].pop(row.key)
                if verdicts.ask("ambiguous", kind.name, *keys, None) == "create":
                    wanted[side].append(row)
    return found, {side: list(free[side].values()) for side in SIDES}, wanted


def _made_anew(
    family: Population,
    owner: Any,
    orphans: dict[str, list[Row]],
    unread: set[str],
    verdicts: Verdicts,
) -> dict[str, Tie]:
    """Links that lost an end in whose place a record stands, by name, with the one that takes their place.

    It hangs on the contact of the one that is left, and is its equal, or the only one that it meets under a rule.
    """
    kind = family.kind
    made: dict[str, Tie] = {}
    for rule in (None, *kind.match):
        for side in SIDES:
            alone = _left_alone(family, owner, side, rule, unread | made.keys())
            there = defaultdict(list)
            for row in sorted(orphans[side], key=lambda row: row.key):
                for likeness in _likenesses(kind, row, rule):
                    there[owner[side].get(str(row.parent)), likeness].append(row)
            for at, lost in alone.items():
                if rule is not None and not (len(lost) == len(there[at]) == 1):
                    continue
                for tie, row in zip(lost, there[at], strict=False):
                    ends = {side: row.key, _across(side): tie.key(_across(side))}
                    made[tie.name] = Tie(ends["app"], ends["app"], ends["ghl"], {}, {})
                    orphans[side].remove(row)
                    verdicts.operations.add(("forget", kind.name, tie.app_key, tie.ghl_key))
                    verdicts.operations.add(("adopt", kind.name, ends["app"], ends["ghl"]))
    return made


def _left_alone(
    family: Population, owner: Any, side: str, rule: tuple[str, ...] | None, but: set[str]
) -> dict[Any, list[Tie]]:
    """The links whose end on `side` is gone, by the contact that the other end hangs on and what that one is known by."""
    across, kind = _across(side), family.kind
    alone = defaultdict(list)
    for tie in sorted(family.ties, key=lambda tie: tie.key(across)):
        row = family.rows[across].get(tie.key(across))
        if tie.name in but or row is None or _gone(family, tie) != side or _excluded(kind, row):
            continue
        parent = owner[across].get(str(row.parent))
        for likeness in _likenesses(kind, row, rule) if parent is not None else ():
            alone[parent, likeness].append(tie)
    return alone


def _likenesses(kind: Kind, row: Row, rule: tuple[str, ...] | None) -> set[Any]:
    """What a task or note is known by: all that it holds, or its identities under a rule."""
    if rule is None:
        return {tuple(str(row.cells.get(name)) for name in kind.fields)}
    return _identities(row, rule)


def _within_parents(rule: tuple[str, ...], owner: Any, free: Any) -> list[dict[str, list[Row]]]:
    """Rows without a link that share a contact and an identity, by side."""
    groups: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: {"app": [], "ghl": []})
    for side in SIDES:
        for row in free[side].values():
            parent = owner[side].get(str(row.parent))
            for identity in _identities(row, rule) if parent is not None else ():
                groups[parent, identity][side].append(row)
    return list(groups.values())
