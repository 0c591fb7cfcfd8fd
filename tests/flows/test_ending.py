"""A run ends in time while it reads, waits and tries again, not only between two writes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from connectors.ending import Ending
from connectors.ghl import GhlConnector, GhlSettings, PrivateToken
from connectors.http import Client, Request
from connectors.throttle import LocalBudget, Window
from flows.jobs.full import FULL
from flows.run import stopping_on_signals
from flows.runner import carry_out
from reconcile.errors import Refused, Stopped
from reconcile.ledger import runs
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Description, Page, Proof, Scope, Write
from tests.builders import World
from tests.flows.nights import night, opened

LOCATION = "ve9EPM428h8vShlRW1KT"


class Clock:
    """Seconds that pass by waiting alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.now += seconds


def ghl(
    clock: Clock, ending: Ending, answer: Callable[[httpx.Request], httpx.Response]
) -> GhlConnector:
    """A location that answers so, under an ending."""
    return GhlConnector(
        GhlSettings(
            location=LOCATION,
            lag_seconds=0.0,
            concurrency=1,
            fields={Entity.CONTACT: ("firstName",)},
        ),
        auth=PrivateToken("pit-ending"),
        budget=LocalBudget(Window(limit=100)),
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
        transport=httpx.MockTransport(answer),
        ending=ending,
    )


def contacts(connector: GhlConnector) -> Proof:
    """How a read of all contacts ends."""
    *_, proof = connector.extract(Entity.CONTACT, Scope())
    assert isinstance(proof, Proof)
    return proof


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, headers={"retry-after": "600"}, json={}),
        httpx.Response(503, headers={"retry-after": "600"}, json={}),
        httpx.Response(500, json={}),
    ],
    ids=["429", "503 with Retry-After", "500"],
)
def test_no_wait_that_a_side_asks_for_outlasts_the_run(answer: httpx.Response) -> None:
    """A side that asks for ten minutes, or answers 500 each time, is not waited for when the run's time is over."""
    clock = Clock()
    ending = Ending(5.0, clock=clock, sleep=clock.sleep)
    assert not contacts(ghl(clock, ending, lambda _: answer)).complete
    assert clock.now <= 5.2


def test_nothing_is_sent_once_the_run_has_to_end() -> None:
    """A read that has not begun says STOPPED, and sends nothing."""
    clock, sent = Clock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return httpx.Response(200, json={})

    ending = Ending(clock=clock, sleep=clock.sleep)
    ending.ask("stopped by SIGTERM")
    assert "STOPPED" in contacts(ghl(clock, ending, answer)).why_incomplete
    assert sent == []


def test_a_write_that_was_sent_is_not_called_unsent() -> None:
    """A change that was answered 500, and is not repeated as the run ends, is in doubt; what was never sent is skipped."""
    clock = Clock()
    ending = Ending(0.3, clock=clock, sleep=clock.sleep)
    connector = ghl(clock, ending, lambda _: httpx.Response(500, json={}))
    writes = [
        Write(str(n), OpKind.UPDATE, Entity.CONTACT, f"c{n}", fields={"firstName": "A"})
        for n in range(3)
    ]
    replies = {reply.op_id: reply.status for reply in connector.write(writes)}
    assert replies == {"0": Status.UNCERTAIN, "1": Status.SKIPPED, "2": Status.SKIPPED}


@pytest.fixture
def world() -> Iterator[World]:
    """Three people in the app, none in GHL."""
    with World(limits={"max_first_creates": 100}) as world:
        for number in range(3):
            world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
        yield world


def interrupted(world: World, act: Callable[[], None], at: int) -> None:
    """Let something happen while GHL's contacts are read, before that page."""
    extract = world.ghl.extract

    def reading(entity: Entity, scope: Scope = Scope()) -> Iterator[Page | Proof]:  # noqa: B008 - frozen
        for number, page in enumerate(extract(entity, scope)):
            if entity is Entity.CONTACT and number == at:
                act()
            yield page

    world.ghl.extract = reading  # type: ignore[method-assign]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_that_reads(world: World, number: signal.Signals) -> None:
    """It plans nothing from a part of a side, writes nothing, and the next run starts anew."""
    interrupted(world, lambda: os.kill(os.getpid(), number), at=0)
    with (
        opened(world, "nightly") as run,
        stopping_on_signals(run),
        pytest.raises(Stopped, match=number.name),
    ):
        carry_out(run, FULL)
    assert run.course.plan is None
    assert world.cells(Side.GHL) == {}
    assert runs.unsettled(world.ledger) == []


def test_a_run_that_reads_ends_when_its_time_is_over(world: World) -> None:
    """`max_minutes` counts from the start of the run, reading included."""
    interrupted(world, lambda: world.clock.advance(200.0), at=0)
    with pytest.raises(Stopped, match="time given to the run"):
        night(world, max_minutes=2.0)
    assert world.cells(Side.GHL) == {}


def test_time_that_is_set_back_gives_a_run_no_more_of_it(world: World) -> None:
    """The time of a run is counted on a clock that nobody sets."""
    with opened(world, "nightly") as run:
        run = replace(run, ending=Ending(60.0, clock=(clock := Clock())))
        clock.now = 61.0
        world.clock.advance(-86_400.0)
        with pytest.raises(Stopped):
            carry_out(run, FULL)


def test_a_plan_that_writes_to_a_read_only_side_is_refused(world: World) -> None:
    """The other side is not written either: it would be, and then differ for as long as the first one takes no writes."""
    night(world, allowed=frozenset({"first-creates", "creates"}))
    key = next(iter(world.ghl.rows(Entity.CONTACT)))
    world.ghl.edit(Entity.CONTACT, key, {"first_name": "Moved"})
    world.app.put(Entity.CONTACT, {"first_name": "New", "email": "new@x.com"})
    described = world.app.describe

    def read_only() -> Description:
        return replace(described(), read_only="it is a standby")

    world.app.describe = read_only  # type: ignore[method-assign]
    with pytest.raises(Refused, match="it is a standby") as caught:
        night(world)
    assert caught.value.code == "DB_READ_ONLY"
    assert len(world.ghl.rows(Entity.CONTACT)) == 3


def test_what_must_not_be_sent_twice_is_waited_for() -> None:
    """With five seconds left a read is given five, and a create as long as on any other day."""
    clock, given = Clock(), {}

    def answer(request: httpx.Request) -> httpx.Response:
        given[request.method] = request.extensions["timeout"]["read"]
        return httpx.Response(200, json={})

    client = Client(
        "http://side.invalid",
        transport=httpx.MockTransport(answer),
        ending=Ending(5.0, clock=clock, sleep=clock.sleep),
    )
    client.send(Request("GET", "/people", replay=True))
    client.send(Request("POST", "/people"))
    client.close()
    assert given == {"GET": 5.0, "POST": 60.0}
