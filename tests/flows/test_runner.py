"""What every job goes through, in which order, and what becomes of one that is stopped or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from flows.jobs.delta import Delta
from flows.jobs.full import FULL, PLAN
from flows.jobs.undo import Undo
from flows.run import Run
from flows.runner import Job, carry_out
from flows.scope import Sought
from reconcile.errors import Refused, Stopped
from reconcile.ledger import runs
from reconcile.model import Entity, Side
from tests.builders import World
from tests.flows.nights import night, opened


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    with World() as world:
        for name in ("Ann", "Bob"):
            world.app.put(Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com"})
        night(world)
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def steps_of(run: Run, job: Job) -> list[str]:
    """The names of the steps that a job carried out, in order; chunks of one plan count once."""
    names: list[str] = []

    def do(step: Callable[..., Any], *arguments: Any) -> Any:
        if names[-1:] != [step.__name__]:
            names.append(step.__name__)
        return step(*arguments)

    carry_out(run, job, do)
    return names


WRITTEN = ["begin_apply", "apply", "resolve_doubts"]


def test_a_full_run_reads_plans_asks_writes_settles_and_proves(world: World) -> None:
    """The proof reads and plans once more, after all is settled."""
    world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@x.com"})
    read = ["find_former", "extract", "stage", "complete", "sweep_notes"]
    planned = ["link", "canary", "diff", "look_for_new", "make_plan"]
    with opened(world, "nightly", verify="full") as run:
        names = steps_of(run, FULL)
    first = ["recover", *read, *planned, "check", "keep"]
    settled = ["settle_run", "read_back", *read, *planned, "read_agendas"]
    assert names == [*first, *WRITTEN, *settled]


def test_a_delta_goes_the_same_way_with_a_scope_of_its_own(world: World) -> None:
    """It finds what it is about first, and proves and shows nothing that needs a view of everything."""
    key = world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@x.com"})
    with opened(world, "delta", verify="full") as run:
        names = steps_of(run, Delta(sought=Sought(app=(key,))))
    planned = ["find", "stage", "link", "canary", "diff", "make_plan"]
    assert names == ["recover", *planned, "check", *WRITTEN, "settle_run", "read_back"]


def test_an_approved_plan_takes_the_place_of_a_new_one(world: World) -> None:
    """Whatever the job: nothing is read and planned again, and all else is as ever."""
    key = world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@x.com"})
    with opened(world, "plan") as run:
        digest = carry_out(run, PLAN).document["provenance"]["plan_digest"]
        name = run.run_id
    with opened(world, "apply", name=name) as run:
        names = steps_of(run, replace(FULL, approved=digest, before=(), after=(), proves=False))
    gated = ["recover", "take_over", "check", *WRITTEN, "settle_run", "read_back"]
    assert names == gated
    assert key in world.links()
    with opened(world, "undo") as run:
        back = carry_out(run, Undo(of=name, writes=False))
        name = run.run_id
    digest = back.document["provenance"]["plan_digest"]
    with opened(world, "apply", name=name) as run:
        names = steps_of(run, Undo(approved=digest))
    assert names == [*gated[:-2], "settle_undo", "read_back"]


def test_an_approved_plan_that_is_refused_is_reported_and_may_still_be_approved(
    world: World,
) -> None:
    """Its report and the plan's own list the limits and nothing is written; allowed by name, the same digest is carried out."""
    for number in range(9):
        world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
    world.limits = {"max_first_creates": 2}
    with opened(world, "plan") as run:
        plan = carry_out(run, PLAN)
        digest = plan.document["provenance"]["plan_digest"]
        name = run.run_id
    assert plan.document["verdict"]["code"] == "planned"
    assert [limit["name"] for limit in plan.document["limits"]] == ["first-creates"]
    before = len(world.cells(Side.GHL))
    approved = replace(FULL, approved=digest)
    with opened(world, "apply", name=name) as run, pytest.raises(Refused) as caught:
        carry_out(run, approved)
    assert "max_first_creates" in str(caught.value)
    (note,) = caught.value.__notes__
    assert "report.html" in note
    row = runs.find(world.ledger, run_id=name)
    assert row is not None
    assert row.state == "refused"
    assert len(world.cells(Side.GHL)) == before
    with opened(world, "apply", name=name, allowed=frozenset({"first-creates"})) as run:
        assert carry_out(run, approved).state == "settled"
    assert len(world.cells(Side.GHL)) == before + 9


def test_a_delta_that_is_to_end_before_it_has_a_plan_makes_none(world: World) -> None:
    """As a full run: what was read by then is no ground to write on."""
    key = world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@x.com"})
    with opened(world, "delta") as run:
        run.ending.ask("somebody has to shut the machine down")
        with pytest.raises(Stopped, match="shut the machine down"):
            carry_out(run, Delta(sought=Sought(app=(key,))))
        assert run.course.plan is None
    assert key not in world.links()
