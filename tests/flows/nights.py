"""Whole nights on a World: the jobs as the command line runs them, without Prefect, with archive, report and summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any, cast

from connectors.ending import Ending
from flows.config.form import AlertsForm
from flows.jobs.full import FULL
from flows.jobs.undo import Undo
from flows.outcome.tell import Told
from flows.run import Options, Run, seconds_of
from flows.runner import carry_out
from reconcile.entities import RECORDS
from reconcile.ledger import runs
from reconcile.model import Cell, Entity, Side
from tests.builders import World, small_stage

_NUMBERS = count(1)

Held = dict[tuple[Side, Entity], list[tuple[tuple[str, Cell], ...]]]


@contextmanager
def opened(world: World, job: str, *, name: str | None = None, **more: Any) -> Iterator[Run]:
    """A Run of that job on the world; `name` opens one that is there already, as `apply DIGEST` does."""
    run_id = name or f"n{next(_NUMBERS):04d}"
    with small_stage(world.folder / "runs" / run_id) as stage:
        run = replace(world.open(stage), options=(options := Options(job, **more)))
        ending = Ending(seconds_of(run.pair, options), clock=world.clock.seconds)
        run = replace(run, ending=ending)
        pair = cast("Any", run.pair)
        pair.alerts = AlertsForm()
        if name is None:
            runs.start(world.ledger, run_id, job, at=world.clock())
        yield run


def night(world: World, *, during: Callable[[Run], None] | None = None, **more: Any) -> Told:
    """One nightly run. Refused passes through. `during` gets the Run before it starts."""
    with opened(world, "nightly", **more) as run:
        if during is not None:
            during(run)
        return carry_out(run, FULL)


def take_back(
    world: World, of: Told, *, between: Callable[[], None] | None = None, **more: Any
) -> Told:
    """Plan the undo of a run, let `between` happen, and apply the plan by its digest."""
    with opened(world, "undo", **more) as run:
        planned = carry_out(run, Undo(of=of.document["run_id"], writes=False))
    if between is not None:
        between()
    with opened(world, "apply", name=planned.document["run_id"], **more) as run:
        digest = planned.document["provenance"]["plan_digest"]
        return carry_out(run, Undo(approved=digest))


def state(world: World) -> Held:
    """What both sides hold, in canonical form and without keys; tasks and notes with the name of their contact."""
    return {
        (side, entity): sorted(_rows(world, side, entity), key=repr)
        for side in Side
        for entity in RECORDS
    }


def _rows(world: World, side: Side, entity: Entity) -> Iterator[tuple[tuple[str, Cell], ...]]:
    contacts = world.cells(side)
    for key, record in world.sides[side].rows(entity).items():
        cells = dict(world.cells(side, entity)[key])
        if record.parent is not None:
            cells["of"] = contacts.get(record.parent, {}).get("first_name")
        yield tuple(sorted(cells.items()))
