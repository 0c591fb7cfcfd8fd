"""A run ends where it has to, with everything settled, and the next one goes on: at a signal, at its time, at the day's reserve."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken
from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.throttle import LocalBudget, Window
from flows.jobs.full import FULL
from flows.outcome.tell import Told
from flows.run import stopping_on_signals
from flows.runner import carry_out
from reconcile.ledger import runs
from reconcile.model import Entity, Side
from reconcile.ports import Write
from reconcile.values.codecs import Email, Name
from reconcile.values.mapping import Field
from tests.builders import World, contacts, mapping_of
from tests.flows.nights import night, opened
from tests.long_forms import SOAK

LOCATION = "ve9EPM428h8vShlRW1KT"
TOKEN = "pit-budget"
DAY = 86_400.0
IN_THE_AIR = 2
"""Requests of one night that may be in the air at once."""
QUOTA, PEOPLE = (1_000, 2_500) if SOAK else (100, 225)
"""Of a day, and who is to be made in GHL: two nights and a half."""


@pytest.fixture
def world() -> Iterator[World]:
    """Ten people in the app, none in GHL; plans are carried out two writes at a time."""
    with World(limits={"max_first_creates": 100}, chunk=2) as world:
        for number in range(10):
            world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
        yield world


def made(world: World) -> list[str]:
    """The emails that GHL has, each as often as it is there."""
    return sorted(str(cells["email"]) for cells in world.cells(Side.GHL).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f5_a_signal_ends_the_run_after_the_chunk_it_is_at(
    world: World, number: signal.Signals
) -> None:
    """What was written by then is settled, nothing is in doubt, and the next run does the rest, once."""
    seen: list[Write] = []

    def interrupting(write: Write) -> str | None:
        seen.append(write)
        if len(seen) == 3:
            os.kill(os.getpid(), number)
        return None

    world.set_vices(Side.GHL, rejects=interrupting)
    with opened(world, "nightly") as run, stopping_on_signals(run):
        told = carry_out(run, FULL)
        assert run.journal.in_doubt() == []
    assert told.state == "stopped"
    assert signal.Signals(number).name in told.document["stopped"]
    assert len(world.links()) == len(made(world)) == 4
    night(world, allowed=frozenset({"creates"}))
    assert made(world) == sorted(f"n{at}@x.com" for at in range(10))


def test_f5_a_second_signal_ends_the_run_at_once(world: World) -> None:
    """Whoever insists is obeyed; the journal knows what was begun, and the next run looks it up."""

    def insisting(_write: Write) -> str | None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        return None

    world.set_vices(Side.GHL, rejects=insisting)
    with (
        opened(world, "nightly") as run,
        pytest.raises(KeyboardInterrupt),
        stopping_on_signals(run),
    ):
        carry_out(run, FULL)
    assert runs.unsettled(world.ledger) == [run.run_id]
    world.set_vices(Side.GHL, rejects=lambda _write: None)
    night(world)
    assert made(world) == sorted(f"n{at}@x.com" for at in range(10))
    assert runs.unsettled(world.ledger) == []


def test_f5_a_run_ends_when_its_time_is_over(world: World) -> None:
    """After --max-minutes no further chunk is begun; what is left is planned again by the next run."""
    slow = 20.0

    def taking_time(_write: Write) -> str | None:
        world.clock.advance(slow)
        return None

    world.set_vices(Side.GHL, rejects=taking_time)
    told = night(world, max_minutes=2.0)
    assert told.state == "stopped"
    assert "the time given to the run is over" in told.document["stopped"]
    done = len(made(world))
    assert 0 < done < 10
    assert len(world.links()) == done
    assert told.exit_code == 1
    slow = 0.0
    assert night(world, allowed=frozenset({"creates"})).state == "settled"
    assert made(world) == sorted(f"n{at}@x.com" for at in range(10))


# the day's quota ----------------------------------------------------------------------------------------------------


class Clock:
    """Seconds since the epoch, moved by hand; sleeping moves it."""

    def __init__(self) -> None:
        self.now = 20_700 * DAY + 3_600.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ghl_contacts() -> Field:
    """The first name, as GHL calls it."""
    return Field("first_name", ("first_name",), ("firstName",), Name())


def connect(url: str, clock: Clock) -> GhlConnector:
    """The location as a process of one night sees it: it knows of no quota until it is told."""
    return GhlConnector(
        GhlSettings(
            location=LOCATION, url=url, lag_seconds=0.0, daily_reserve=0.1, concurrency=IN_THE_AIR
        ),
        auth=PrivateToken(TOKEN),
        budget=LocalBudget(Window(limit=100_000)),
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 0.0,
    )


def a_night(world: World, url: str, clock: Clock, spent: Counter[str]) -> Told:
    """One night on a fresh connection; `spent` counts the requests of all nights by endpoint."""
    connector = connect(url, clock)
    world.sides[Side.GHL] = connector  # type: ignore[assignment]
    try:
        return night(world, allowed=frozenset({"first-creates", "creates"}), verify="none")
    finally:
        spent.update(connector.usage().by_endpoint)
        connector.close()


def test_h4_a_plan_of_more_than_two_days_completes_over_three() -> None:
    """The estimate says three nights; each ends at the reserve with all settled; no contact is created twice."""
    clock, spent, reserve = Clock(), Counter[str](), QUOTA // 10
    limit = Limit(max=1_000_000, daily=QUOTA)
    people = contacts(
        ghl_contacts(), Field("email", ("email",), ("email",), Email()), match=(("email",),)
    )
    with (
        Sandbox(Settings(pit=limit, lag_seconds=0.0, seed=7), clock=clock) as sandbox,
        serve(sandbox) as url,
    ):
        sandbox.add_location(LOCATION)
        sandbox.add_token(TOKEN, LOCATION)
        with World(mapping=mapping_of(people)) as world:
            for number in range(PEOPLE):
                world.app.put(
                    Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"}
                )
            told = a_night(world, url, clock, spent)
            assert told.document["usage"]["ghl"]["estimate"] == PEOPLE
            assert told.document["usage"]["ghl"]["estimate_says"].endswith("takes 3 nights")
            states = [told.state]
            for _ in range(2):
                assert len(world.links()) == spent["contact.create"] < PEOPLE
                # A request in the air counts twice where an answer that overtook it has counted it: the night may end early.
                assert (
                    reserve
                    <= told.document["usage"]["ghl"]["remaining_today"]
                    < reserve + IN_THE_AIR
                )
                clock.sleep(DAY)
                told = a_night(world, url, clock, spent)
                states.append(told.state)
            assert states == ["stopped", "stopped", "settled"]
            assert len(world.links()) == PEOPLE
            assert spent["contact.create"] == PEOPLE
            emails = Counter(str(each["email"]) for each in sandbox.contacts(LOCATION))
            assert len(emails) == PEOPLE
            assert set(emails.values()) == {1}
