"""A world that users edit on both sides while the job runs on it, with the invariants checked after each run."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.memory import Crash, Killed, Vices
from flows.review.deciding import answer
from reconcile.errors import StateError
from reconcile.model import Cell, Entity, Operation, OpKind, Side, Status
from reconcile.ports import Json
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.references import Linked
from tests.builders import Result, World, mapping_of

Cells = dict[str, Cell]
Held = dict[tuple[Side, Entity], dict[str, Cells]]

ALLOWED = ("empty-app", "empty-ghl")

KINDS = (Entity.CONTACT, Entity.TASK, Entity.NOTE)
"""The kinds of record that the worlds of chance are made of."""

TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)


@dataclass
class Simulation:
    """`asked_first` fields are those whose conflicts are held: no edit of theirs may be overwritten without a person's word."""

    vices: Mapping[Side, Vices] = field(default_factory=dict)
    mapping: PairMapping = field(default_factory=mapping_of)
    recheck: str = "always"
    asked_first: frozenset[str] = frozenset(
        {
            "first_name",
            "last_name",
            "email",
            "phone",
            "company",
            "title",
            "due",
            "completed",
            "body",
            "name",
            "pipeline",
            "stage",
            "status",
        }
    )

    def __post_init__(self) -> None:
        self.world = World(
            mapping=self.mapping,
            vices=self.vices,
            recheck=self.recheck,
            limits={"max_first_creates": 9999, "max_deletes": 9999},
        )
        self.lossy = any(v.drops for v in self.vices.values())
        self.number = 0
        self.last: Result | None = None

    @property
    def kinds(self) -> tuple[Entity, ...]:
        """The kinds of record that this world is made of."""
        return tuple(each.entity for each in self.mapping.entities)

    def close(self) -> None:
        self.world.close()

    # what users do

    def keys(self, side: Side, entity: Entity) -> list[str]:
        return sorted(self.world.sides[side].rows(entity))

    def fresh(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def add_contact(self, side: Side, fields: Mapping[str, Json]) -> str:
        return self.world.sides[side].put(
            Entity.CONTACT, {"email": f"{self.fresh('p')}@x.com", **fields}
        )

    def add_child(self, side: Side, entity: Entity, parent: str, fields: Mapping[str, Json]) -> str:
        return self.world.sides[side].put(entity, fields, parent=parent)

    def edit(self, side: Side, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        self.world.sides[side].edit(entity, key, fields)

    def delete(self, side: Side, entity: Entity, key: str) -> None:
        self.world.sides[side].delete(entity, key)

    def answer(self, pick: int, option: int) -> None:
        """Answer one of the open questions with one of its options."""
        asked = [row for row in self.world.ledger.holds() if json.loads(row.body).get("options")]
        if asked:
            row = asked[pick % len(asked)]
            options = json.loads(row.body)["options"]
            with suppress(StateError):  # where another answer names the same record
                answer(
                    self.world.ledger,
                    row.hold_id,
                    options[option % len(options)],
                    by="Ada",
                    at=self.world.clock(),
                )

    # what the job does

    def held(self) -> Held:
        return {
            (side, entity): self.world.cells(side, entity) for side in Side for entity in self.kinds
        }

    def run(self, *, between: Callable[[], None] | None = None) -> Result:
        """One run with the checks that every run must pass."""
        baseline: dict[Entity, dict[str, dict[str, str]]] = {}
        seen: list[Held] = []

        def pause() -> None:
            # Only now: a run begins with settling what a former one left.
            baseline.update({entity: self.world.baseline(entity) for entity in self.kinds})
            if between is not None:
                between()
            seen.append(self.held())

        result = self.world.run(between=pause, allowed=ALLOWED)
        self.last = result
        check_shown(result, seen[0], self.held())
        check_nothing_lost(result, baseline, self.asked_first)
        self.check_ledger()
        return result

    def crash(self, side: Side, at: int, when: str) -> bool:
        """A run that is killed at its n-th write of a side; True where it came to that."""
        connector = self.world.sides[side]
        self.world.set_vices(
            side, crash=Crash(connector.carried_out + at, "before" if when == "before" else "after")
        )
        try:
            self.world.run(allowed=ALLOWED)
        except Killed:
            return True
        finally:
            self.world.set_vices(side, crash=None)
            self.world.reopen()
            self.check_ledger()
        return False

    # what must hold

    def check_ledger(self) -> None:
        """A baseline value was seen on that side: it is, or was, in the record's history (invariant 3)."""
        for entity in self.kinds:
            mapped = self.world.mapping[entity]
            for row in self.world.baseline(entity).values():
                for side in Side:
                    history = self.world.sides[side].history(entity, row[f"{side}_key"])
                    ever = [mapped.decode(record, side) for record in history]
                    for name, cell in json.loads(row[f"{side}_cells"]).items():
                        if isinstance(mapped.field(name).codec, Linked):
                            continue  # it is a key of the app on both sides
                        if name == "tags":
                            known = {
                                tag for cells in ever for tag in json.loads(cells["tags"] or "[]")
                            }
                            assert set(json.loads(cell)) <= known, (side, row, name, cell)
                        else:
                            assert cell in [cells[name] for cells in ever], (
                                side,
                                row,
                                name,
                                cell,
                                ever,
                            )

    def check_quiet(self) -> None:
        """A further run without edits plans nothing (invariant 1)."""
        failed = set(_failed(self.last)) if self.last else set()
        again = [o for o in self.world.plan().operations if o.link_id not in failed]
        assert not again, [
            (o.kind, o.entity, o.side, o.key, o.before, o.after, o.because) for o in again
        ]

    def check_converged(self, result: Result) -> None:
        """Both sides hold the same, but for what is held, failed or passed over with a reason."""
        excused = {(h.entity, h.subject) for h in result.holds}
        excused |= {(entity, link_id) for entity in self.kinds for link_id in _failed(result)}
        held = self.held()
        for entity in self.kinds:
            for row in self.world.baseline(entity).values():
                app = held[Side.APP, entity].get(row["app_key"])
                ghl = held[Side.GHL, entity].get(row["ghl_key"])
                if (entity, row["link_id"]) in excused or (
                    Entity.CONTACT,
                    row["parent"],
                ) in excused:
                    continue
                assert app is not None, (row, "gone from app")
                assert ghl is not None, (row, "gone from ghl")
                for name in app.keys() & ghl.keys():
                    assert app[name] == ghl[name], (row, name, app, ghl)

    def check_complete(self, result: Result) -> None:
        """Nothing is on one side only, and nothing is there twice (invariants 2 and 4): for runs without holds and failures."""
        if (
            result.holds
            or result.passed
            or any(o.status is not Status.DONE or o.code for o in result.outcomes)
        ):
            return
        held = self.held()
        for entity in self.kinds:
            counted = [
                Counter(json.dumps(cells, sort_keys=True) for cells in held[side, entity].values())
                for side in Side
            ]
            assert counted[0] == counted[1], (
                entity,
                counted[0] - counted[1],
                counted[1] - counted[0],
            )

    def check_order(self, seed: int) -> None:
        """Shuffling what is read changes no byte of the plan (invariant 5)."""
        first = self.world.plan()
        for side in Side:
            self.world.sides[side].shuffle(random.Random(seed))  # noqa: S311 - a reproducible choice, no secret
        second = self.world.plan()
        assert first.plan.digest == second.plan.digest
        assert first.path.read_text().split("\n")[1:] == second.path.read_text().split("\n")[1:]


def _failed(result: Result) -> list[str]:
    """The links of what a side refused, or took otherwise than it was sent."""
    failed = {o.op_id for o in result.outcomes if o.status is not Status.DONE or o.code}
    return [o.link_id for o in result.operations if o.op_id in failed]


def check_shown(result: Result, before: Held, after: Held) -> None:
    """Whatever changed on a side during the run stands in the plan (invariant 7)."""
    status = {o.op_id: o for o in result.outcomes}
    for (side, entity), rows in after.items():
        was = before[side, entity]
        mine = [
            o
            for o in result.operations
            if o.side is side
            and (o.entity is entity or (o.entity is Entity.TAG and entity is Entity.CONTACT))
        ]
        creates = [o for o in mine if o.kind is OpKind.CREATE and o.op_id in status]
        new = rows.keys() - was.keys()
        assert len(new) <= len(creates), (side, entity, new, creates)
        deleted = {o.key for o in mine if o.kind in (OpKind.DELETE, OpKind.ARCHIVE)}
        for key in was.keys() - rows.keys():
            gone_contacts = {
                o.key
                for o in result.operations
                if o.side is side and o.entity is Entity.CONTACT and o.kind is OpKind.DELETE
            }
            assert key in deleted or (entity is not Entity.CONTACT and gone_contacts), (
                side,
                entity,
                key,
            )
        for key in was.keys() & rows.keys():
            _check_record(key, [o for o in mine if o.key == key], was[key], rows[key])


def _check_record(key: str, operations: list[Operation], was: Cells, now: Cells) -> None:
    for name in was.keys() | now.keys():
        if was.get(name) == now.get(name):
            continue
        if name == "tags":
            then, there = (set(json.loads(cells.get(name) or "[]")) for cells in (was, now))
            added = {
                tag
                for o in operations
                if o.kind is OpKind.ADD_TAGS
                for tag in json.loads(o.after["tags"] or "[]")
            }
            removed = {
                tag
                for o in operations
                if o.kind is OpKind.REMOVE_TAGS
                for tag in json.loads(o.after["tags"] or "[]")
            }
            assert there - then <= added, (key, then, there, added)
            assert then - there <= removed, (key, then, there, removed)
            continue
        shown = [(o.before.get(name), o.after[name]) for o in operations if name in o.after]
        assert (was.get(name), now.get(name)) in shown, (
            key,
            name,
            was.get(name),
            now.get(name),
            shown,
        )


def check_nothing_lost(
    result: Result,
    baseline: Mapping[Entity, Mapping[str, Mapping[str, str]]],
    asked_first: frozenset[str],
) -> None:
    """A value that somebody changed is not overwritten without a person's word: what is replaced was agreed before (invariant 2)."""
    for operation in result.operations:
        if "decided by" in operation.because:
            continue
        if operation.kind in (OpKind.DELETE, OpKind.ARCHIVE):
            agreed = json.loads(
                baseline[operation.entity][operation.link_id][f"{operation.side}_cells"]
            )
            assert {
                name: cell for name, cell in operation.before.items() if cell is not None
            } == agreed, (
                operation,
                agreed,
            )
        if operation.kind not in (OpKind.UPDATE, OpKind.COMPLETE):
            continue
        row = baseline[operation.entity].get(operation.link_id)
        agreed = json.loads(row[f"{operation.side}_cells"]) if row else {}
        for name in operation.after.keys() & asked_first:
            assert operation.before.get(name) in (None, agreed.get(name)), (operation, agreed)
