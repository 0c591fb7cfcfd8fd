"""The matrix of faults and jobs: whatever goes wrong in a run, the next one brings both sides to the end of an undisturbed night."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from flows import errors
from flows.jobs.audit import AUDIT
from flows.jobs.delta import Delta
from flows.jobs.full import FULL, PLAN
from flows.outcome.tell import Told
from flows.runner import Job, carry_out
from reconcile.ledger.ledger import Decision
from reconcile.model import Entity, Side
from tests.crash.faults import FAULTS, VALUE, Fault, FaultyWorld, Killed
from tests.flows.nights import night, opened
from tests.properties.sandbox_world import TOKEN, mapping

SOAK = os.environ.get("GHL_RECONCILE_SOAK") == "1"
DAYS = (("audit", "plan", "nightly"), ("delta",), ("apply",))
"""The jobs that are tried with each fault, day by day; each day ends with an undisturbed night."""
SAMPLE = {"ledger: COMMIT fails": (("nightly",),)}
"""What is tried where the soak is not asked for."""

CASES = dict.fromkeys(FAULTS, DAYS) if SOAK else SAMPLE

MOST_SECONDS, MOST_REQUESTS, MOST_CPU, MOST_MEMORY = 3_600.0, 600, 60.0, 256.0
"""What a faulty run may take at most: of the world's time, of GHL, of the processor, and megabytes of more memory."""

LIMITS = {"max_first_creates": 99, "max_deletes": 99, "flapping": 0}

State = Counter[tuple[Any, ...]]


@dataclass(slots=True)
class Tally:
    """What came of the cases."""

    runs: int = 0
    asked: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.doubled, *self.deleted, *self.leaked, *self.beyond]

    def add(self, other: Tally) -> None:
        """Count what came of other cases as well."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        names = ("lost", "doubled", "deleted", "leaked", "beyond")
        counts = ", ".join(f"{name} {len(getattr(self, name))}" for name in names)
        ended = ", ".join(f"{name} {many}" for name, many in sorted(self.ended.items()))
        return f"{self.runs} runs with a fault: {counts}; asked {self.asked}; ended with {ended}"


def made() -> FaultyWorld:
    """Six people in the app and four in GHL, all of them linked."""
    world = FaultyWorld(mapping=mapping(), limits=LIMITS)
    app, ghl = world.app_place, world.ghl_place
    for number in range(6):
        key = app.put(
            Entity.CONTACT,
            {"first_name": f"{VALUE} {number}", "email": f"p{number}@x.com", "tags": []},
            None,
        )
        app.put(Entity.NOTE, {"body": f"{VALUE} note {number}"}, key)
    for number in range(4):
        ghl.put(
            Entity.CONTACT, {"firstName": f"{VALUE} {number}", "email": f"q{number}@x.com"}, None
        )
    night(world)
    return world


def key_of(world: FaultyWorld, side: Side, email: str) -> str:
    """The key of the person with that address."""
    (key,) = [key for key, cells in world.cells(side).items() if cells.get("email") == email]
    return key


def a_day(world: FaultyWorld, number: int) -> None:
    """What people do on both sides on that day; the same in each world."""
    app, ghl = world.app_place, world.ghl_place
    new = app.put(
        Entity.CONTACT,
        {"first_name": f"{VALUE} a{number}", "email": f"a{number}@x.com", "tags": ["new"]},
        None,
    )
    ring = {"title": f"{VALUE} ring a{number}", "due": "2027-01-05T09:00:00Z", "completed": False}
    app.put(Entity.TASK, ring, new)
    app.put(Entity.NOTE, {"body": f"{VALUE} from the app {number}"}, new)
    met = ghl.put(
        Entity.CONTACT, {"firstName": f"{VALUE} g{number}", "email": f"g{number}@x.com"}, None
    )
    ghl.put(Entity.NOTE, {"body": f"{VALUE} from GHL {number}"}, met)
    for person in range(2):
        app.edit(
            Entity.CONTACT,
            key_of(world, Side.APP, f"p{person}@x.com"),
            {"company": f"{VALUE} {number}"},
        )
        ghl.edit(
            Entity.CONTACT,
            key_of(world, Side.GHL, f"q{person}@x.com"),
            {"companyName": f"{VALUE} {number}"},
        )
    app.edit(Entity.CONTACT, key_of(world, Side.APP, "p2@x.com"), {"tags": [f"a{number}"]})
    world.sandbox.tag_contact(key_of(world, Side.GHL, "q2@x.com"), add=(f"g{number}",))
    if number:
        app.delete(Entity.CONTACT, key_of(world, Side.APP, f"a{number - 1}@x.com"))
        ghl.delete(Entity.CONTACT, key_of(world, Side.GHL, f"g{number - 1}@x.com"))
    world.clock.advance(3_600.0)


def state(world: FaultyWorld) -> State:
    """What both sides hold, without keys: each record with the address of whom it hangs on."""
    kinds = [mapped.entity for mapped in world.mapping.entities]
    return Counter(row for side in Side for kind in kinds for row in _rows(world, side, kind))


def _rows(world: FaultyWorld, side: Side, entity: Entity) -> Iterator[tuple[Any, ...]]:
    people = world.cells(side)
    parents = world.places[side].rows(entity)
    for key, cells in world.cells(side, entity).items():
        of = people.get(parents[key].parent or "", {}).get("email")
        yield (side, entity, of, *sorted(cells.items()))


class _Heard(logging.Handler):
    """Everything that is logged, with what stands beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {vars(record)}")


@contextmanager
def heard() -> Iterator[list[str]]:
    """What the product logs meanwhile."""
    handler = _Heard()
    loggers = [logging.getLogger(name) for name in ("flows", "connectors", "reconcile")]
    for each in loggers:
        each.addHandler(handler)
    try:
        yield handler.lines
    finally:
        for each in loggers:
            each.removeHandler(handler)


def job_of(world: FaultyWorld, name: str) -> tuple[Job, dict[str, Any]]:
    """The job, and how its run is opened; an approved plan is made before the fault."""
    match name:
        case "delta":
            return Delta(), {}
        case "apply":
            with opened(world, "plan") as run:
                planned = carry_out(run, PLAN).document
            digest = planned["provenance"]["plan_digest"]
            return replace(FULL, approved=digest), {"name": planned["run_id"]}
        case _:
            return {"nightly": FULL, "audit": AUDIT, "plan": PLAN}[name], {}


def disturbed(world: FaultyWorld, name: str, fault: Fault) -> Told | BaseException:
    """One run of a job with a fault: what it told, or what it ended with."""
    job, more = job_of(world, name)
    asked = world.asked
    with opened(world, name, **more) as run:
        try:
            with fault(world, run):
                return carry_out(run, job)
        except (Exception, Killed) as error:  # noqa: BLE001 - what it is, is what is asked
            return error
        finally:
            world.asked -= asked


def tried(tally: Tally, world: FaultyWorld, case: tuple[str, str], end: State) -> None:
    """A run with a fault: what is not as it should be goes into the tally."""
    name, job = case
    before, said = {side: set(_emails(world, side)) for side in Side}, " x ".join(case)
    begun = (world.clock.true(), time.process_time(), _memory())
    with heard() as lines:
        came = disturbed(world, job, FAULTS[name])
    taken = (
        world.clock.true() - begun[0],
        world.asked,
        time.process_time() - begun[1],
        _memory() - begun[2],
    )
    tally.runs += 1
    tally.ended[_ended(came)] += 1
    most = (MOST_SECONDS, MOST_REQUESTS, MOST_CPU, MOST_MEMORY)
    tally.beyond += [
        f"{said}: {took:.0f}" for took, limit in zip(taken, most, strict=True) if took > limit
    ]
    told = errors.reason(came) if isinstance(came, Exception) else ""
    tally.leaked += [
        f"{said}: {line[:300]}" for line in (*lines, told) if VALUE in line or TOKEN in line
    ]
    if told.startswith("[DEFECT]"):
        tally.beyond.append(f"{said}: {told}")
    # Who is there still in the end was deleted by nobody.
    gone = [
        f"{said}: {who} in {side}"
        for side in Side
        for who in before[side] - set(_emails(world, side))
        if _kept(end, who)
    ]
    tally.deleted += gone


def put_right(tally: Tally, world: FaultyWorld, case: tuple[str, str], end: State) -> None:
    """The next night: what is not as after an undisturbed one goes into the tally.

    Where it asks whether what a side refused is to be tried again, it is.
    """
    world.clock.advance(3_600.0)
    night(world)
    asked = world.ledger.holds()
    for hold in asked:
        answer = Decision(hold.hold_id, "retry", hold.values_digest, "Ada", world.clock(), "")
        world.ledger.decide(answer)
    if asked:
        tally.asked += len(asked)
        night(world)
    now, said = state(world), " x ".join(case)
    tally.lost += [f"{said}: {row}" for row in (end - now).elements()]
    tally.doubled += [f"{said}: {row}" for row in (now - end).elements()]


def _emails(world: FaultyWorld, side: Side) -> Iterator[str]:
    return (str(cells.get("email")) for cells in world.cells(side).values())


def _kept(end: State, email: str) -> bool:
    return any(("email", email) in row for row in end)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _ended(came: Told | BaseException) -> str:
    if isinstance(came, Told):
        return came.state
    if isinstance(came, Killed):
        return "killed"
    return errors.reason(came).partition("]")[0].lstrip("[")


@pytest.fixture(scope="module")
def ends() -> Sequence[State]:
    """What both sides hold after each undisturbed day and night."""
    found = []
    with made() as world:
        for day in range(max(map(len, CASES.values()))):
            a_day(world, day)
            night(world)
            found.append(state(world))
    return found


@pytest.fixture(scope="module")
def whole() -> Iterator[Tally]:
    """What came of all cases."""
    tally = Tally()
    yield tally
    print(f"\n{tally}")  # noqa: T201 - figures of the soak


@pytest.mark.timeout(0 if SOAK else 300)
@pytest.mark.parametrize("fault", CASES)
def test_whatever_goes_wrong_the_next_night_puts_it_right(
    ends: Sequence[State], whole: Tally, fault: str
) -> None:
    """Nothing is lost, doubled, deleted unasked or leaked, and each run ends within its bounds, with a code or a report."""
    tally = Tally()
    with made() as world:
        for day, jobs in enumerate(CASES[fault]):
            a_day(world, day)
            for job in jobs:
                tried(tally, world, (fault, job), ends[day])
            put_right(tally, world, (fault, jobs[-1]), ends[day])
    whole.add(tally)
    assert not tally.wrong, "\n".join([str(tally), *tally.wrong])
