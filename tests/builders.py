"""One obvious way to make each noun, and a whole world of two sides, a ledger and a clock that the job's steps run on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from connectors.memory import MemoryConnector, Ticks, Vices
from flows.config.form import ApplyForm
from flows.run import Options, Run
from flows.state.stores import links_folder
from flows.steps import steps, sweeps
from reconcile.apply.apply import chunks
from reconcile.apply.settle import Settlement
from reconcile.apply.verify import Residual
from reconcile.entities import RECORDS
from reconcile.errors import ConnectorError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Decision, Ledger
from reconcile.model import Cell, Entity, Hold, Operation, OpKind, Outcome, Side
from reconcile.plan import planfile
from reconcile.plan.plan import Plan
from reconcile.ports import Json, Record, Reply, Write
from reconcile.stage import archive
from reconcile.stage.stage import Stage
from reconcile.values.codecs import (
    Bool,
    Codec,
    Date,
    Email,
    Instant,
    Labels,
    Name,
    Number,
    Phone,
    RichText,
    Text,
)
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import TAGS, OnCreate, OnDelete, Rule

if TYPE_CHECKING:
    from flows.config import Pair

MIRROR = {Side.APP: OnDelete.MIRROR, Side.GHL: OnDelete.MIRROR}
HOLD = {Side.APP: OnDelete.HOLD, Side.GHL: OnDelete.HOLD}


def small_stage(folder: Path, memory_limit: str = "256MB") -> Stage:
    """A run's stage as the shell opens it, small."""
    return Stage(folder, memory_limit=memory_limit, threads=1, beside=[links_folder(folder)])


def field_of(name: str, codec: Codec | None = None, **more: Any) -> Field:
    """A field that both sides call by the same name; plain text unless told otherwise."""
    return Field(name, **{"app": (name,), "ghl": (name,), "codec": codec or Text(), **more})


def companies(*fields: Field, **more: Any) -> EntityMap:
    """The companies' map."""
    usual = (field_of("name", Name()), field_of("phone", Phone(region="US")), field_of("city"))
    settings: dict[str, Any] = {"match": (("name",),), "delete": MIRROR, "absent_runs": 1}
    return EntityMap(Entity.COMPANY, fields or usual, **(settings | more))


def contacts(*fields: Field, **more: Any) -> EntityMap:
    """The contacts' map: names, email, phone, company and tags unless told otherwise; mirrored deletes, believed at once."""
    usual = (
        field_of("first_name", Name()),
        field_of("last_name", Name()),
        field_of("email", Email()),
        field_of("phone", Phone(region="US")),
        field_of("company"),
        field_of("tags", Labels(), rule=TAGS),
    )
    settings: dict[str, Any] = {
        "match": (("email",), ("phone",)),
        "delete": MIRROR,
        "absent_runs": 1,
    }
    return EntityMap(Entity.CONTACT, fields or usual, **(settings | more))


def tasks(*fields: Field, **more: Any) -> EntityMap:
    """The tasks' map."""
    usual = (
        field_of("title", required=True),
        field_of("due", Instant()),
        field_of("completed", Bool()),
    )
    settings: dict[str, Any] = {"match": (("title", "due"),), "delete": MIRROR, "absent_runs": 1}
    return EntityMap(Entity.TASK, fields or usual, **(settings | more))


def notes(*fields: Field, **more: Any) -> EntityMap:
    """The notes' map."""
    settings: dict[str, Any] = {"delete": MIRROR, "absent_runs": 1}
    return EntityMap(Entity.NOTE, fields or (field_of("body", RichText()),), **(settings | more))


def mapping_of(*entities: EntityMap) -> PairMapping:
    """A pair's mapping: contacts, tasks and notes as above unless told otherwise."""
    return PairMapping(entities or (contacts(), tasks(), notes()))


def operation_of(kind: OpKind = OpKind.UPDATE, **members: Any) -> Operation:
    """An operation: an update of a GHL contact's company unless told otherwise."""
    usual: dict[str, Any] = {
        "op_id": "op1",
        "entity": Entity.CONTACT,
        "side": Side.GHL,
        "link_id": "l1",
        "because": "changed in the app, not in GHL",
        "key": "g1",
        "source_key": "a1",
        "before": {"company": "Old"},
        "after": {"company": "New"},
    }
    return Operation(kind=kind, **(usual | members))


def hold_of(**members: Any) -> Hold:
    """A hold: a conflict over a contact's company unless told otherwise."""
    usual: dict[str, Any] = {
        "hold_id": "h1",
        "kind": "conflict",
        "entity": Entity.CONTACT,
        "subject": "l1",
        "because": "changed on both sides to different values",
        "field": "company",
        "options": ("app", "ghl", "leave"),
        "values_digest": "d1",
        "values": {"base_app": "Old", "base_ghl": "Old", "app": "A", "ghl": "G"},
    }
    return Hold(**(usual | members))


def plan_of(**members: Any) -> Plan:
    """The head of a plan."""
    usual: dict[str, Any] = {
        "run_id": "r1",
        "pair": "p",
        "generation": 0,
        "config_digest": "c",
        "snapshots": {},
    }
    return Plan(**(usual | members))


@cache
def empty_ledger() -> bytes:
    """The file of a ledger in SQLite that holds nothing yet: to make its tables takes a third of a night."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        file = Path(folder) / "ledger.db"
        Ledger(f"sqlite:///{file}", "p").close()
        return file.read_bytes()


class Witness(MemoryConnector):
    """A memory side whose past can be looked at, whose order of records can be changed, and which may not keep some tags."""

    unkept_tags: frozenset[str] = frozenset()
    untold: bool = False
    """Whether its replies say nothing of what it then holds, as those to GHL's bulk tags."""
    silent: frozenset[str] = frozenset()
    """Keys of records that cannot be read whole."""

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """As the reference does it, but for what a reply tells."""
        for reply in super().write(writes):
            yield replace(reply, record=None) if self.untold else reply

    def _stored(self, entity: Entity, name: str, value: Json) -> Json:
        stored = super()._stored(entity, name, value)
        return (
            [tag for tag in stored if tag not in self.unkept_tags]
            if isinstance(stored, list)
            else stored
        )

    def whole(
        self, entity: Entity, key: str, parent: str | None = None
    ) -> Mapping[str, Json] | None:
        """A record with all that is kept of it. Raises ConnectorError for one of `silent`."""
        if key in self.silent:
            raise ConnectorError("it does not answer")
        row = self.rows(entity).get(key)
        return None if row is None else dict(row.fields)

    def history(self, entity: Entity, key: str) -> list[Record]:
        """Every state that a record ever had, oldest first."""
        return [
            self._record(entity, key, row)
            for row in self._tables[entity].get(key, [])
            if row is not None
        ]

    def shuffle(self, chance: Random) -> None:
        """Put the records in another order; their keys and contents stay."""
        for entity, table in self._tables.items():
            keys = list(table)
            chance.shuffle(keys)
            self._tables[entity] = {key: table[key] for key in keys}

    def backup(self) -> dict[Entity, Any]:
        """A copy of all it holds, as a nightly backup has it."""
        return {
            entity: {key: list(history) for key, history in table.items()}
            for entity, table in self._tables.items()
        }

    def restore(self, backup: Mapping[Entity, Any]) -> None:
        """Put a backup in place of all it holds; the records have the times they had."""
        self._tables = {
            entity: {key: list(rows) for key, rows in table.items()}
            for entity, table in backup.items()
        }

    def merge(self, master: str, loser: str) -> None:
        """Merge two contacts as GHL does: the master keeps its values, takes what it lacks, and the other's as further ones."""
        ours, theirs = (dict(self.rows(Entity.CONTACT)[key].fields) for key in (master, loser))
        filled = {name: value for name, value in theirs.items() if value and not ours.get(name)}
        more = [theirs["email"]] if theirs.get("email") and "email" not in filled else []
        held = [
            *cast("list[Json]", ours.get("more_emails") or []),
            *cast("list[Json]", theirs.get("more_emails") or []),
        ]
        self.edit(Entity.CONTACT, master, {**filled, "more_emails": [*held, *more]})
        for entity in (Entity.TASK, Entity.NOTE):
            for key, row in self.rows(entity).items():
                if row.parent == loser:
                    self.move(entity, key, master)
        self.delete(Entity.CONTACT, loser)

    def move(self, entity: Entity, key: str, parent: str) -> None:
        """Hang a task or note on another contact, as a user of a database may."""
        self.put(entity, self.rows(entity)[key].fields, key=key, parent=parent)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a World came to. `outcomes` is empty and `settlement` None where nothing was applied."""

    run_id: str
    plan: Plan
    operations: tuple[Operation, ...]
    holds: tuple[Hold, ...]
    passed: tuple[tuple[str, str, str, str, str], ...]
    outcomes: tuple[Outcome, ...] = ()
    residuals: tuple[Residual, ...] = ()
    settlement: Settlement | None = None
    path: Path = Path()

    @property
    def writes(self) -> tuple[Operation, ...]:
        """The operations that send something."""
        return tuple(o for o in self.operations if o.kind not in (OpKind.ADOPT, OpKind.FORGET))

    def of(
        self, kind: OpKind, entity: Entity | None = None, side: Side | None = None
    ) -> list[Operation]:
        """The operations of one kind."""
        return [
            o
            for o in self.operations
            if o.kind is kind and entity in (None, o.entity) and side in (None, o.side)
        ]


@dataclass
class World:
    """Two memory sides, a ledger in a folder of its own, a clock that ticks; `run` does what the nightly job does."""

    mapping: PairMapping = field(default_factory=mapping_of)
    whole: bool = False  # also map what nobody has yet
    vices: Mapping[Side, Vices] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    recheck: str = field(default_factory=lambda: ApplyForm().recheck)
    notes_budget: int | None = None
    appointments_budget: int = 0
    ledger_url: str | None = None
    identity: Mapping[Side, str] = field(default_factory=dict)
    chunk: int = 200
    config_digest: str = "c"
    sweep: int | None = None
    """After so many days all of GHL is read; then each run also leaves an archive."""

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="world-"))
        self.clock = Ticks()
        self.sides = {side: self._side(side) for side in Side}
        if self.ledger_url is None:
            (self.folder / "ledger.db").write_bytes(empty_ledger())
        self.ledger = Ledger(self.ledger_url or f"sqlite:///{self.folder}/ledger.db", "p")
        self._runs = 0
        self._had = {Entity.CONTACT}

    def _side(self, side: Side) -> Witness:
        return Witness(
            side,
            identity=self.identity.get(side, ""),
            clock=self.clock,
            vices=self.vices.get(side, Vices()),
        )

    @property
    def app(self) -> Witness:
        """The application's side."""
        return self.sides[Side.APP]

    @property
    def ghl(self) -> Witness:
        """GHL's side."""
        return self.sides[Side.GHL]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything it kept on disk."""
        self.ledger.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def copied(self) -> World:
        """Another world that is as this one is now: the nights before a test are run once for all tests that begin alike."""
        made = copy(self)
        made.folder = Path(tempfile.mkdtemp(prefix="world-"))
        shutil.copytree(self.folder, made.folder, dirs_exist_ok=True)
        made.clock, made.sides, made._had = deepcopy((self.clock, self.sides, self._had))
        made.ledger = Ledger(f"sqlite:///{made.folder}/ledger.db", "p")
        return made

    def _mapped(self) -> PairMapping:
        """What a run maps: contacts, and what somebody ever had in memory; each kind that nobody has takes as long as one that all have."""
        if self.whole or not all(isinstance(side, Witness) for side in self.sides.values()):
            return self.mapping
        for entity in RECORDS:
            if any(side.rows(entity) for side in self.sides.values()):
                self._had.add(entity)
        had = tuple(mapped for mapped in self.mapping.entities if mapped.entity in self._had)
        return replace(self.mapping, entities=had)

    # what is there ----------------------------------------------------------------------------------------------

    def cells(self, side: Side, entity: Entity = Entity.CONTACT) -> dict[str, dict[str, Cell]]:
        """What a side holds now, in canonical form, blanks left out."""
        mapped = self.mapping[entity]
        return {
            key: {
                name: cell for name, cell in mapped.decode(record, side).items() if cell is not None
            }
            for key, record in self.sides[side].rows(entity).items()
        }

    def links(self, entity: Entity = Entity.CONTACT) -> dict[str, str]:
        """The crosswalk: app key to GHL key."""
        batches = self.ledger.links(entity, ["app_key", "ghl_key"])
        return {str(row[0]): str(row[1]) for batch in batches for row in batch}

    def baseline(self, entity: Entity = Entity.CONTACT) -> dict[str, dict[str, Any]]:
        """The ledger's link rows by link_id."""
        names = [
            "link_id",
            "app_key",
            "ghl_key",
            "parent",
            "app_cells",
            "ghl_cells",
            "app_digest",
            "ghl_digest",
        ]
        batches = self.ledger.links(entity, names)
        return {
            str(row[0]): dict(zip(names, row, strict=True)) for batch in batches for row in batch
        }

    # what is done -----------------------------------------------------------------------------------------------

    def open(self, stage: Stage, *, allowed: Iterable[str] = ()) -> Run:
        """A Run on this world, as flows.opening.open_run makes it for real sides."""
        pair = SimpleNamespace(
            name="p",
            store=str(self.folder),
            mapping=self.mapping,
            sweep=self.sweep,
            limits=dict(self.limits),
            config_digest=self.config_digest,
            apply=SimpleNamespace(recheck=self.recheck, max_minutes=None, chunk=self.chunk),
            ghl=SimpleNamespace(
                notes_budget=self.notes_budget,
                appointments_budget=self.appointments_budget,
                url="memory:",
                business_ids=[],
                tags_move_date="yes",
            ),
            verify=SimpleNamespace(mode="written"),
            alerts=SimpleNamespace(failed_share=1.0, count_deviation=1.0),
            metrics=None,
            located=lambda *_: self._mapped(),
        )
        return Run(
            cast("Pair", pair),
            stage.folder.name,
            Options(allowed=frozenset(allowed)),
            stage.folder,
            self.ledger,
            self.sides,
            stage,
            started_at=self.clock(),
            clock=self.clock,
        )

    def look(self, run: Run) -> Plan:
        """The reading half of the job: everything up to the plan."""
        runs.start(self.ledger, run.run_id, "nightly", at=self.clock())
        steps.recover(run)
        sweeps.find_former(run)
        steps.stage(run, steps.extract(run))
        sweeps.complete(run)
        steps.sweep_notes(run)
        steps.link(run)
        steps.canary(run)
        steps.diff(run)
        sweeps.look_for_new(run)
        return steps.make_plan(run)

    def run(
        self,
        *,
        allowed: Iterable[str] = (),
        between: Callable[[], None] | None = None,
        apply: bool = True,
    ) -> Result:
        """One whole run. `between` is what happens in the world between plan and apply; Refused passes through."""
        self._runs += 1
        name = f"r{self._runs:04d}"
        with small_stage(self.folder / "runs" / name) as stage:
            run = self.open(stage, allowed=allowed)
            plan = self.look(run)
            result = Result(
                name,
                plan,
                tuple(steps.operations(run)),
                tuple(planfile.holds(run.plan_path)),
                tuple(cast("Any", stage.rows("SELECT * FROM passed ORDER BY ALL"))),
                path=run.plan_path,
            )
            if not apply:
                return result
            if between is not None:
                between()
            steps.check(run, plan)
            return self._apply(run, result)

    def _apply(self, run: Run, result: Result) -> Result:
        steps.begin_apply(run)
        for chunk in chunks(steps.operations(run), self.chunk):
            steps.apply(run, chunk)
            if steps.must_stop(run):
                break
        steps.resolve_doubts(run)
        settlement = steps.settle_run(run)
        steps.read_back(run)
        if self.sweep:
            archive.store(run.stage, run.mapping, run.folder)
        outcomes = tuple(outcome for _, outcome in run.journal.entries())
        return replace(
            result, outcomes=outcomes, residuals=tuple(run.course.residuals), settlement=settlement
        )

    def plan(self) -> Result:
        """A run that stops at the plan."""
        return self.run(apply=False)

    def decide(self, hold: Hold, choice: str, *, by: str = "Ada", reason: str = "") -> None:
        """A person answers a hold."""
        self.ledger.decide(
            Decision(hold.hold_id, choice, hold.values_digest, by, self.clock(), reason)
        )

    def reopen(self) -> None:
        """Forget everything that a process keeps in memory; only the ledger and the two sides remain."""
        self.ledger.close()
        self.ledger = Ledger(self.ledger_url or f"sqlite:///{self.folder}/ledger.db", "p")

    def set_vices(self, side: Side, **vices: Any) -> None:
        """Change some of a side's vices."""
        self.sides[side].vices = replace(self.sides[side].vices, **vices)


def by_email(world: World, side: Side, email: str) -> str:
    """The key of the contact with that email."""
    (key,) = [key for key, cells in world.cells(side).items() if cells.get("email") == email]
    return key


def totals(sides: Sequence[MemoryConnector]) -> dict[tuple[Side, Entity], int]:
    """How many records each side has."""
    return {(side.side, entity): len(side.rows(entity)) for side in sides for entity in RECORDS}


__all__ = [
    "HOLD",
    "MIRROR",
    "Date",
    "Number",
    "OnCreate",
    "Result",
    "Rule",
    "World",
    "by_email",
    "contacts",
    "field_of",
    "hold_of",
    "mapping_of",
    "notes",
    "operation_of",
    "plan_of",
    "tasks",
    "totals",
]
