"""What a plan must say, worked out record by record from the rules as they are written down; it shares no code with the engine."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Cells = Mapping[str, str | None]
SIDES = ("app", "ghl")


@dataclass(frozen=True)
class Row:
    """One record of one side, in canonical values. `order` tells which of two records was changed later."""

    key: str
    cells: Cells
    parent: str | None = None
    order: int = 0


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
    """What was concluded: operations (kind, entity, side, keys, values) and holds (kind, entity, app key, ghl key, field)."""

    operations: set[tuple[Any, ...]] = field(default_factory=set)
    holds: set[tuple[Any, ...]] = field(default_factory=set)


@dataclass
class Population:
    """Everything of one entity."""

    kind: Kind
    rows: dict[str, dict[str, Row]]
    ties: list[Tie]


def conclude(contacts: Population, children: Iterable[Population] = ()) -> Verdicts:
    """The whole plan of a world whose snapshots are complete."""
    verdicts = Verdicts()
    families = list(children)
    gone = {t.name: side for t in contacts.ties if (side := _gone(contacts, t)) is not None}
    found, orphans = _match_contacts(contacts, verdicts)
    _compare(contacts, [*contacts.ties, *found], verdicts)
    for tie in contacts.ties:
        if tie.name in gone:
            _absent(contacts, tie, gone[tie.name], verdicts, families)
    _create(contacts, orphans, verdicts, parents=None)
    for family in families:
        _children(family, contacts, [*contacts.ties, *found], gone, verdicts, orphans)
    return verdicts


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
    rule: Behaviour, base: Mapping[str, str | None], now: Mapping[str, str | None], newer: str | None
) -> str | None:
    """Which side's value both shall have: "app" or "ghl"; None where nothing is done; "ask" where a person decides."""
    if now["app"] == now["ghl"]:
        return None
    movers = [side for side in SIDES if now[side] != base[side]]
    if not movers:
        return None
    winner = _winner(rule, movers, now, newer)
    if winner in SIDES and now[winner] is None and rule.blank == "keep" and rule.conflict != "union":
        return None
    if winner in SIDES and now[winner] is None and rule.blank == "keep" and len(movers) == 1:
        return None
    return winner


def _winner(rule: Behaviour, movers: list[str], now: Mapping[str, str | None], newer: str | None) -> str | None:
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
        if app is None or ghl is None or _excluded(population.kind, app) or _excluded(population.kind, ghl):
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
                verdicts.holds.add(("conflict", population.kind.name, tie.app_key, tie.ghl_key, name))
            elif winner is not None and (now[winner] in rule.bad or (rule.required and now[winner] is None)):
                verdicts.holds.add(("unsyncable", population.kind.name, tie.app_key, tie.ghl_key, name))
            elif winner is not None:
                sent[_across(winner)][name] = now[winner]
        for side, values in sent.items():
            if values:
                kind = "complete" if side == "ghl" and set(values) == {"completed"} else "update"
                verdicts.operations.add(
                    (kind, population.kind.name, side, tie.key(side), tuple(sorted(values.items())))
                )


def _compare_set(
    population: Population, tie: Tie, rule: Behaviour, base: Any, now: Any, newer: str | None, verdicts: Verdicts
) -> None:
    held = {side: set(json.loads(now[side] or "[]")) for side in SIDES}
    was = {side: set(json.loads(base[side] or "[]")) for side in SIDES}
    changes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in held["app"] | held["ghl"] | was["app"] | was["ghl"]:
        there = {side: item if item in held[side] else None for side in SIDES}
        before = {side: item if item in was[side] else None for side in SIDES}
        winner = three_way(rule, before, there, newer)
        if winner == "ask":
            verdicts.holds.add(("conflict", "contact", tie.app_key, tie.ghl_key, f"tags: {item}"))
        elif winner is not None:
            changes[_across(winner), "add_tags" if there[winner] else "remove_tags"].append(item)
    for (side, kind), items in changes.items():
        verdicts.operations.add((kind, "tag", side, tie.key(side), tuple(sorted(items))))


# what is missing, and what is new ----------------------------------------------------------------------------------


def _absent(population: Population, tie: Tie, gone: str, verdicts: Verdicts, families: list[Population]) -> None:
    kind = population.kind
    if gone == "both":
        verdicts.operations.add(("forget", kind.name, tie.app_key, tie.ghl_key))
        return
    kept = _across(gone)
    row = population.rows[kept][tie.key(kept)]
    if tie.absent + 1 < kind.absent_runs or _excluded(kind, row):
        return
    policy = kind.delete[kept]
    touched = _differs(kind, row.cells, tie.base(kept)) or any(_child_touched(f, tie, kept) for f in families)
    merged = kind.name == "contact" and _survivor(population, row, gone, {tie.key(kept)})
    if merged or (touched and policy != "ignore") or policy == "hold":
        verdicts.holds.add(("delete", kind.name, tie.app_key, tie.ghl_key, None))
    elif policy != "ignore":
        verdicts.operations.add(("delete" if policy == "mirror" else policy, kind.name, kept, tie.key(kept)))


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


def _survivor(population: Population, kept: Row, gone: str, _: set[str]) -> bool:
    linked = {tie.key(gone) for tie in population.ties}
    return any(
        row.key not in linked
        and not _excluded(population.kind, row)
        and _identity(kept, rule) == _identity(row, rule) is not None
        for row in population.rows[gone].values()
        for rule in population.kind.match
    )


def _identity(row: Row, rule: tuple[str, ...]) -> tuple[str, ...] | None:
    values = tuple(row.cells.get(name) for name in rule)
    return None if None in values else tuple(str(value) for value in values)


def _match_contacts(population: Population, verdicts: Verdicts) -> tuple[list[Tie], dict[str, list[Row]]]:
    """Rule by rule: alone on both sides is linked, alone on one side goes on to the next rule, anything else is held.

    So is what could as well belong to a linked record that lost its other end.

    These worlds use each identity for one family of records, so that a record meets others under one rule at most.
    """
    kind = population.kind
    linked = {side: {tie.key(side) for tie in population.ties} for side in SIDES}
    free = {
        side: {k: r for k, r in population.rows[side].items() if k not in linked[side] and not _excluded(kind, r)}
        for side in SIDES
    }
    found: list[Tie] = []
    for rule in kind.match:
        groups: dict[tuple[str, ...], dict[str, list[Row]]] = defaultdict(lambda: {"app": [], "ghl": []})
        for side in SIDES:
            for row in free[side].values():
                if (identity := _identity(row, rule)) is not None:
                    groups[identity][side].append(row)
        for identity, group in groups.items():
            _match_group(population, rule, identity, group, free, found, verdicts)
    return found, {side: sorted(free[side].values(), key=lambda r: r.key) for side in SIDES}


def _match_group(
    population: Population,
    rule: Any,
    identity: Any,
    group: dict[str, list[Row]],
    free: Any,
    found: list[Tie],
    verdicts: Verdicts,
) -> None:
    app, ghl = group["app"], group["ghl"]
    taken = {
        side: any(
            _identity(population.rows[side][tie.key(side)], rule) == identity
            for tie in population.ties
            if tie.key(side) in population.rows[side]
        )
        for side in SIDES
    }

    def left_alone(side: str) -> bool:
        """Whether a linked record of the side has the identity, whose other end is gone."""
        return any(
            _gone(population, tie) == _across(side)
            and _identity(population.rows[side][tie.key(side)], rule) == identity
            for tie in population.ties
        )

    if len(app) == len(ghl) == 1 and not any(map(left_alone, SIDES)):
        found.append(Tie(f"{app[0].key}", app[0].key, ghl[0].key, {}, {}))
        verdicts.operations.add(("adopt", population.kind.name, app[0].key, ghl[0].key))
        free["app"].pop(app[0].key)
        free["ghl"].pop(ghl[0].key)
        return
    for side, rows in group.items():
        crowded = "ambiguous" if app and ghl else "duplicate" if len(rows) > 1 or taken[_across(side)] else None
        for row in rows if crowded else ():
            keys = (row.key, None) if side == "app" else (None, row.key)
            verdicts.holds.add((crowded, population.kind.name, *keys, None))
            free[side].pop(row.key)


def _create(population: Population, orphans: dict[str, list[Row]], verdicts: Verdicts, parents: Any) -> None:
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
                verdicts.operations.add(("create", kind.name, target, row.key, tuple(sorted(values.items()))))


# tasks and notes ---------------------------------------------------------------------------------------------------


def _children(
    family: Population,
    contacts: Population,
    owners: list[Tie],
    gone: Mapping[str, str],
    verdicts: Verdicts,
    new: dict[str, list[Row]],
) -> None:
    owner = {side: {tie.key(side): tie.name for tie in owners} for side in SIDES}
    created = {op[3] for op in verdicts.operations if op[0] == "create" and op[1] == "contact"}
    for side, rows in new.items():
        owner[side] |= {row.key: f"new {row.key}" for row in rows if row.key in created}
    found, orphans = _match_children(family, owner, verdicts)
    _compare(family, [*family.ties, *found], verdicts)
    for tie in family.ties:
        lost = _gone(family, tie)
        if family.kind.name == "note" and gone.get(str(tie.parent)) in ("ghl", "both"):
            continue  # GHL tells notes contact by contact: of a contact that is gone it says nothing
        if lost is not None and not (lost != "both" and gone.get(str(tie.parent)) in (lost, "both")):
            _absent(family, tie, lost, verdicts, [])

    def has_parent(side: str, row: Row) -> bool:
        name = owner[side].get(str(row.parent))
        return name is not None and gone.get(name) not in (_across(side), "both")

    _create(family, orphans, verdicts, parents=has_parent)


def _match_children(family: Population, owner: Any, verdicts: Verdicts) -> tuple[list[Tie], dict[str, list[Row]]]:
    kind = family.kind
    linked = {side: {tie.key(side) for tie in family.ties} for side in SIDES}
    free = {
        side: {k: r for k, r in sorted(family.rows[side].items()) if k not in linked[side] and not _excluded(kind, r)}
        for side in SIDES
    }
    found: list[Tie] = []

    def pair(app: Row, ghl: Row) -> None:
        found.append(Tie(app.key, app.key, ghl.key, {}, {}))
        verdicts.operations.add(("adopt", kind.name, app.key, ghl.key))
        free["app"].pop(app.key)
        free["ghl"].pop(ghl.key)

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
    for rule in kind.match:
        for group in _within_parents(rule, owner, free):
            if len(group["app"]) == len(group["ghl"]) == 1:
                pair(group["app"][0], group["ghl"][0])
                continue
            for side, row in [(at, row) for at in SIDES for row in group[at] if group["app"] and group["ghl"]]:
                keys = (row.key, None) if side == "app" else (None, row.key)
                verdicts.holds.add(("ambiguous", kind.name, *keys, None))
                free[side].pop(row.key)
    return found, {side: list(free[side].values()) for side in SIDES}


def _within_parents(rule: tuple[str, ...], owner: Any, free: Any) -> list[dict[str, list[Row]]]:
    """Rows without a link that share a contact and an identity, by side."""
    groups: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: {"app": [], "ghl": []})
    for side in SIDES:
        for row in free[side].values():
            parent, identity = owner[side].get(str(row.parent)), _identity(row, rule)
            if parent is not None and identity is not None:
                groups[parent, identity][side].append(row)
    return list(groups.values())
