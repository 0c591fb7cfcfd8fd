"""Reads a golden case of tests/scenarios and plays it on a world: what stands there in words is what the engine must say."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.memory import Vices
from reconcile.errors import Refused
from reconcile.ledger.ledger import PairState
from reconcile.model import Entity, Hold, Operation, OpKind, Side
from reconcile.ports import FieldInfo, Json
from reconcile.values.codecs import (
    Bool,
    Codec,
    Consent,
    Date,
    Email,
    Instant,
    Labels,
    Name,
    Phone,
    RichText,
    Text,
)
from reconcile.values.mapping import EntityMap, Field, Filter
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import TAGS, Blank, Drift, Flow, OnConflict, OnCreate, OnDelete, Rule
from tests.builders import Result, World

FOLDER = Path(__file__).parent.parent / "scenarios"

_CHOICES: Mapping[str, Any] = {
    "flow": Flow,
    "conflict": OnConflict,
    "drift": Drift,
    "blank": Blank,
    "opt_in": bool,
}
_FIELDS: Mapping[Entity, Mapping[str, Codec]] = {
    Entity.CONTACT: {
        "first_name": Name(),
        "email": Email(),
        "phone": Phone(region="US"),
        "company": Text(),
        "born": Date(),
        "dnd": Consent.of_truth("denied"),
        "likes": Labels(folded=False, name="set"),
        "tags": Labels(),
    },
    Entity.TASK: {"title": Text(), "due": Instant(), "completed": Bool()},
    Entity.NOTE: {"body": RichText()},
}
_MATCH: Mapping[Entity, tuple[tuple[str, ...], ...]] = {
    Entity.CONTACT: (("email",), ("phone",)),
    Entity.TASK: (("title", "due"),),
    Entity.NOTE: (),
}


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every case of every file, with a name for it."""
    return [
        (f"{path.stem}: {case['title']}", case)
        for path in sorted(FOLDER.glob("*.toml"))
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def mapping_for(case: Mapping[str, Any]) -> PairMapping:
    """The mapping of a case: the product's defaults, but for what the case says."""
    return PairMapping(tuple(_entity(entity, case) for entity in _FIELDS))


def _entity(entity: Entity, case: Mapping[str, Any]) -> EntityMap:
    said = case.get(str(entity), {})
    rules = case.get("rules", {})
    fields = tuple(
        _field(name, codec, rules.get(name, {})) for name, codec in _FIELDS[entity].items()
    )
    settings: dict[str, Any] = {}
    if "delete" in said:
        settings["delete"] = {side: OnDelete(said["delete"].get(side, "hold")) for side in Side}
    if "create" in said:
        settings["create"] = OnCreate(said["create"])
    if "absent_runs" in said:
        settings["absent_runs"] = said["absent_runs"]
    excluded = [
        Filter(f["field"], tuple(v or None for v in f["values"]), f.get("negated", False))
        for f in said.get("exclude", [])
    ]
    return EntityMap(entity, fields, match=_MATCH[entity], exclude=tuple(excluded), **settings)


def _field(name: str, codec: Any, said: Mapping[str, Any]) -> Field:
    words = {word: choice(said[word]) for word, choice in _CHOICES.items() if word in said}
    natives = {
        side: () if said.get("constant") and said.get("constant_of") == side else (name,)
        for side in ("app", "ghl")
    }
    return Field(
        name,
        natives["app"],
        natives["ghl"],
        codec,
        rule=replace(_default(name), **words),
        required=said.get("required", False),
        fallback=said.get("fallback"),
        constant=said.get("constant"),
        create_only=said.get("create_only", False),
        required_by=tuple(Side(side) for side in said.get("required_by", ())),
    )


def _default(name: str) -> Rule:
    if name in ("tags", "likes"):
        return TAGS
    return Rule(conflict=OnConflict.RESTRICT) if name == "dnd" else Rule()


ALONE = ("limits", "allow", "refused", "crash")
_SETTINGS = ("rules", "contact", "task", "note", "vices", "recheck", "unkept_tags")


def groups() -> list[list[tuple[str, dict[str, Any]]]]:
    """The cases in groups that can share one world: those with the same settings; what concerns a whole run stays alone."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, case in cases():
        parts = [case, *case.get("then", [])]
        same = {word: case.get(word) for word in _SETTINGS} | {
            "change": [p.get("change_vices") for p in parts]
        }
        alone = name if any(word in part for word in ALONE for part in parts) else ""
        found.setdefault(json.dumps([same, alone], sort_keys=True), []).append((name, case))
    return list(found.values())


@dataclass
class Came:
    """What one round came to for one case, in words."""

    operations: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    end: dict[Side, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {side: {} for side in Side}
    )


@dataclass
class Play:
    """Cases being played in one world: each has names of its own, `3~ann`, and addresses of its own, `ann@x3.com`."""

    cases: list[dict[str, Any]]
    names: dict[tuple[Side, Entity, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        case = self.cases[0]
        vices = {side: _vices(case.get("vices", {}).get(side, {})) for side in Side}
        limits = {"max_first_creates": 1000, "max_deletes": 1000, **case.get("limits", {})}
        self.world = World(
            mapping=mapping_for(case),
            vices=vices,
            limits=limits,
            recheck=case.get("recheck", "always"),
        )
        for side, connector in self.world.sides.items():
            connector.unkept_tags = frozenset(case.get("unkept_tags", {}).get(side, ()))
            for entity, codecs in _FIELDS.items():
                for name, codec in codecs.items():
                    types = {"dnd": "bool" if side is Side.APP else "text", "likes": "json"}
                    plain = "bool" if isinstance(codec, Bool) else "text"
                    kind = FieldInfo(types.get(name, plain))
                    connector._fields[entity].setdefault(name, kind)
        self.holds: tuple[Hold, ...] = ()
        self._baseline()

    def _baseline(self) -> None:
        rows = []
        rest: dict[str, Any] = {}
        if not any(word in self.cases[0] for word in ALONE):
            rest = {"rest": {"app": {}, "ghl": self._constants()}}
            children = {"rest/task-1": {"title": "T"}, "rest/note-1": {"body": "N"}}
            kinds = self._kinds()
            rest |= {name: held for name, held in children.items() if _place(name)[0] in kinds}
        everything: list[dict[str, Any]] = [*self.cases, {"baseline": rest}]
        for index, case in enumerate(everything):
            for plain, held in case.get("baseline", {}).items():
                name = f"{index}~{plain}"
                entity, parent = _place(name)
                both = {side: _native(name, entity, held.get(side, held)) for side in Side}
                for side in Side:
                    self._put(side, name, both[side])
                rows.append(self._link(entity, name, parent, both))
        with self.world.ledger.transaction() as connection:
            self.world.ledger.put_links(connection, rows)
            digest = self.world._mapped().digest
            state = PairState(1 if rows else 0, "memory:app", "memory:ghl", digest)
            self.world.ledger.advance(connection, state)
        self.world.clock.advance(3600)

    def _kinds(self) -> set[Entity]:
        """The kinds of record that the cases name: the others have no record, and cost no time."""
        parts = [part for case in self.cases for part in (case, *case.get("then", []))]
        parts += [part.get("meanwhile", {}) for part in parts]
        words = ("baseline", *Side)
        return {_place(name)[0] for part in parts for word in words for name in part.get(word, {})}

    def _constants(self) -> dict[str, Any]:
        """What GHL holds of a record that every rule is content with."""
        fields = self.world.mapping[Entity.CONTACT].fields
        return {
            field.name: field.constant
            for field in fields
            if field.constant is not None and field.ghl
        }

    def _link(
        self, entity: Entity, name: str, parent: str | None, both: Mapping[Side, Mapping[str, Json]]
    ) -> dict[str, Any]:
        mapped = self.world.mapping[entity]
        cells = {
            f"{side}_cells": json.dumps(
                {
                    f.name: cell
                    for f in mapped.fields
                    if (cell := f.decode(both[side], side)) is not None
                }
            )
            for side in Side
        }
        blank = {
            f"{side}_{what}": None
            for side in Side
            for what in ("digest", "modified", "written", "edited")
        }
        absent = {f"{side}_absent": 0 for side in Side}
        keys = {f"{side}_key": _key(side, name) for side in Side}
        about = {
            "entity": str(entity),
            "link_id": name,
            "parent": parent,
            "how": "email",
            "since_run": "r0",
        }
        return {**about, **keys, **cells, **blank, **absent}

    def _put(self, side: Side, name: str, fields: Mapping[str, Json]) -> None:
        entity, parent = _place(name)
        connector = self.world.sides[side]
        key = self._key_of(side, name)
        if key in connector.rows(entity):
            connector.edit(entity, key, fields)
        else:
            connector.put(
                entity,
                fields,
                key=key,
                parent=None if parent is None else self._key_of(side, parent),
            )
        self.names[side, entity, key] = name

    def _key_of(self, side: Side, name: str) -> str:
        """A record's key on a side: the one it was given by this play, or by the job when it was created there."""
        entity, _ = _place(name)
        usual, other = _key(side, name), _key(side.other, name)
        if usual in self.world.sides[side].rows(entity):
            return usual
        links = self.world.links(entity)
        if side is Side.GHL:
            return links.get(other, usual)
        return {ghl: app for app, ghl in links.items()}.get(other, usual)

    def edit(self, side: Side, name: str, fields: Any) -> None:
        """What a user did to one record: `"gone"`, or the fields that now have other values ("" for cleared)."""
        entity, _ = _place(name)
        key = self._key_of(side, name)
        if fields == "gone":
            self.world.sides[side].delete(entity, key)
            return
        new = key not in self.world.sides[side].rows(entity)
        self._put(
            side, name, _native(name if new else "", entity, fields, index=name.partition("~")[0])
        )

    def rounds(self) -> list[list[Mapping[str, Any]]]:
        """What is done in each round, by case; a case that has ended has nothing more to say."""
        most = max(1 + len(case.get("then", [])) for case in self.cases)
        parts = [[case, *case.get("then", []), *([{}] * most)][:most] for case in self.cases]
        return [list(part) for part in zip(*parts, strict=True)]

    def play(self) -> list[list[Came]]:
        """Every round's findings by case, and at the end those of a run that has nothing to do."""
        came = [self._round(parts) for parts in self.rounds()]
        return [*came, self._sorted(self.world.plan())]

    def _round(self, parts: list[Mapping[str, Any]]) -> list[Came]:
        for side, vices in parts[0].get("change_vices", {}).items():
            self.world.sides[Side(side)].vices = _vices(vices)
        self._edit_all(parts)
        for index, part in enumerate(parts):
            for question, choice in part.get("decide", {}).items():
                (hold,) = [
                    h
                    for h in self.holds
                    if self._case(h) == index and self.hold_words(h).startswith(question)
                ]
                self.world.decide(hold, self._inward(choice, index))
        meanwhile = [part.get("meanwhile", {}) for part in parts]
        if "refused" in parts[0]:
            return self._refused(parts[0])
        between = (lambda: self._edit_all(meanwhile)) if any(meanwhile) else None
        result = self.world.run(allowed=parts[0].get("allow", ()), between=between)
        self.holds = result.holds
        return self._sorted(result)

    def _edit_all(self, parts: list[Mapping[str, Any]]) -> None:
        for index, part in enumerate(parts):
            for side in Side:
                for name, fields in part.get(side, {}).items():
                    self.edit(side, f"{index}~{name}", fields)

    def _refused(self, part: Mapping[str, Any]) -> list[Came]:
        before = [self.world.cells(side, entity) for side in Side for entity in _FIELDS]
        with pytest.raises(Refused) as refusal:
            self.world.run(allowed=part.get("allow", ()))
        assert [words for words in part["refused"] if words not in str(refusal.value)] == [], str(
            refusal.value
        )
        assert before == [self.world.cells(side, entity) for side in Side for entity in _FIELDS]
        return [Came(end=self._ends(0))]

    def _sorted(self, result: Result) -> list[Came]:
        came = [Came(end=self._ends(index)) for index, _ in enumerate(self.cases)]
        by_id = {o.op_id: o for o in result.operations}
        for o in result.operations:
            came[self._case(o)].operations.append(_outward(self.operation_words(o)))
        for h in result.holds:
            came[self._case(h)].holds.append(_outward(self.hold_words(h)))
        for p in result.passed:
            name = self.name(Side(p[1]), Entity(p[0]), p[2])
            came[int(name.partition("~")[0])].passed.append(_outward(self.passed_words(p)))
        for outcome in result.outcomes:
            if outcome.status != "done" or outcome.code:
                about = by_id[outcome.op_id]
                words = f"{self.operation_words(about).partition(' |')[0]} | {outcome.status} {outcome.code}: {outcome.detail}"
                came[self._case(about)].outcomes.append(_outward(words))
        return came

    def _case(self, noun: Operation | Hold) -> int:
        if isinstance(noun, Hold):
            ends = [(Side.APP, noun.app_key), (Side.GHL, noun.ghl_key)]
        else:
            ends = [(noun.side.other, noun.source_key), (noun.side, noun.key)]
        entity = Entity.CONTACT if noun.entity is Entity.TAG else noun.entity
        names = [self.name(side, entity, key) for side, key in ends if key]
        return int(next(name for name in names if "~" in name).partition("~")[0])

    def _inward(self, choice: str, index: int) -> str:
        word, _, name = choice.partition(":")
        return f"{word}:{self._key_of(Side.GHL, f'{index}~{name}')}" if name else choice

    def _ends(self, index: int) -> dict[Side, dict[str, dict[str, Any]]]:
        return {side: self.end(side, index) for side in Side}

    # words ------------------------------------------------------------------------------------------------------

    def name(self, side: Side, entity: Entity, key: str | None) -> str:
        """The play's name for a key; for one that the job made, that of its counterpart."""
        if known := self.names.get((side, entity, key or "")):
            return known
        pairs = self.world.links(entity).items()
        across = dict(pairs) if side is Side.APP else {ghl: app for app, ghl in pairs}
        return self.names.get((side.other, entity, across.get(key or "", "")), f"{key}")

    def short(self, side: Side, entity: Entity, key: str | None) -> str:
        """The case's name for a key."""
        return self.name(side, entity, key).rpartition("~")[2]

    def operation_words(self, o: Operation) -> str:
        """`update ghl ann: company Old -> New | why`."""
        entity = Entity.CONTACT if o.entity is Entity.TAG else o.entity
        name = self.short(o.side.other, entity, o.source_key)
        if o.kind in (OpKind.ADOPT, OpKind.FORGET):
            other = self.short(o.side, entity, o.key)
            return f"{o.kind} {name if name == other else f'{name} = {other}'} | {o.because}"
        if o.kind in (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS):
            changes = ", ".join(json.loads(o.after["tags"] or "[]"))
        elif o.kind in (OpKind.DELETE, OpKind.ARCHIVE):
            changes = ""
        else:
            was = "" if o.kind is OpKind.CREATE else "{} -> "
            changes = ", ".join(
                f"{n} {was.format(o.before.get(n) or '∅')}{v or '∅'}"
                for n, v in sorted(o.after.items())
            )
        return f"{o.kind} {o.side} {name}{': ' if changes else ''}{changes} | {o.because}"

    def hold_words(self, h: Hold) -> str:
        """`conflict ann company (app, ghl, leave) | why`."""
        known = [
            self.short(side, h.entity, key)
            for side, key in ((Side.APP, h.app_key), (Side.GHL, h.ghl_key))
            if key
        ]
        field_name = f" {h.field}" if h.field else ""
        return f"{h.kind} {known[0]}{field_name} ({', '.join(h.options)}) | {h.because}"

    def passed_words(self, passed: tuple[str, str, str, str, str]) -> str:
        """`ann from app: excluded | why`."""
        entity, side, key, kind, because = passed
        return f"{self.short(Side(side), Entity(entity), key)} from {side}: {kind} | {because}"

    def end(self, side: Side, index: int) -> dict[str, dict[str, Any]]:
        """What a side holds of a case, by the case's names; a contact's usual email is not mentioned."""
        held: dict[str, dict[str, Any]] = {}
        for entity in _FIELDS:
            for key, cells in self.world.cells(side, entity).items():
                name = self.name(side, entity, key)
                if name.partition("~")[0] == str(index):
                    usual = _native(name, entity, {})
                    held[name.partition("~")[2]] = {
                        n: _outward(c or "") for n, c in cells.items() if usual.get(n) != c
                    }
        return held


def _outward(words: str) -> str:
    """Words without the numbers that keep cases apart."""
    return re.sub(r"(app|ghl):\d+~", "", re.sub(r"@x\d+[.]com", "@x.com", words))


def _vices(said: Mapping[str, Any]) -> Vices:
    made: dict[str, Any] = {}
    for name, value in said.items():
        many = frozenset if name in ("drops", "undated") else tuple
        made[name] = many(value) if isinstance(value, list) else value
    made["incomplete"] = {Entity(name): why for name, why in said.get("incomplete", {}).items()}
    return Vices(**made)


def _key(side: Side, name: str) -> str:
    return f"{side}:{name}"


def _place(name: str) -> tuple[Entity, str | None]:
    """`ann` is a contact; `ann/task-call` a task and `ann/note-1` a note of hers."""
    parent, slash, child = name.partition("/")
    return (Entity(child.partition("-")[0]), parent) if slash else (Entity.CONTACT, None)


def _native(
    name: str, entity: Entity, fields: Mapping[str, Json], *, index: str = ""
) -> dict[str, Json]:
    """The fields with the case's own addresses; a new contact has an address after its name."""
    index = index or name.partition("~")[0]
    usual: dict[str, Json] = {}
    if entity is Entity.CONTACT and name:
        usual["email"] = f"{name.partition('~')[2].partition('.')[0]}@x{index}.com"
    said = {
        n: v.replace("@x.com", f"@x{index}.com").replace("@X.COM", f"@X{index}.COM")
        if isinstance(v, str)
        else v
        for n, v in fields.items()
    }
    return usual | said
