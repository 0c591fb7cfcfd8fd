"""Two runs of one pair never write at once, whatever the clock says and however long one of them stood still."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.state import leases
from flows.state.leases import holder_name, holder_of, lease
from reconcile.errors import Locked
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from reconcile.ports import Reply, Write
from tests.builders import World, empty_ledger
from tests.flows.nights import night

LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "ledger.db").write_bytes(empty_ledger())
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", "acme")
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, ledger: Ledger) -> Iterator[Ledger]:
    """The same ledger as another process opens it."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", ledger.pair)
    yield made
    made.close()


def taken_over(ledger: Ledger, holder: str = "elsewhere/1/next") -> None:
    """Another machine's run takes the lease, which had expired by its clock."""
    to = {"holder": holder, "expires_at": "2999-01-01T00:00:00.000Z"}
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(schema.lease).values(to))


def test_a_clock_that_is_set_forward_takes_no_lease_from_a_run_that_goes_on(
    ledger: Ledger, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour forward in mid-run, and the lease has expired; its process runs, so nobody else may, until it has ended."""

    def forward() -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    with lease(ledger, holder_name("first")):
        monkeypatch.setattr(leases, "present", forward)
        with pytest.raises(Locked, match=r"first, whose process runs"), lease(other, "second"):
            pass
    with lease(other, "second"):
        assert holder_of(ledger) == "second"


@pytest.fixture
def sleeper() -> Iterator[int]:
    """The number of another process that runs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.send_signal(signal.SIGKILL)


def test_another_process_of_the_same_number_holds_nothing(ledger: Ledger, sleeper: int) -> None:
    """A holder is known by when its process was started, too; one that runs keeps an expired lease, and is named."""
    tick = Path(f"/proc/{sleeper}/stat")
    if not tick.exists():
        pytest.skip("this system does not say when a process was started")
    begun = tick.read_text().rpartition(")")[2].split()[19]
    for number, there in ((f"{sleeper}@{begun}", True), (f"{sleeper}@1", False)):
        ledger.acquire(f"{leases.place()}/{number}/run", now=LONG_AGO, until=LONG_AGO)
        refused = pytest.raises(Locked, match=str(sleeper)) if there else nullcontext()
        with refused, lease(ledger, "next"):
            assert not there


def test_a_lease_that_this_process_could_not_give_back_expires(ledger: Ledger) -> None:
    """The process of a service goes on after a run whose ledger failed at its very end: that does not lock the pair."""
    ledger.acquire(holder_name("failed"), now=LONG_AGO, until=LONG_AGO)
    with lease(ledger, "next"):
        assert holder_of(ledger) == "next"


def test_a_lease_that_cannot_be_renewed_for_long_is_kept_and_renewed_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large run keeps everybody from its file for longer than a lease: nobody has taken it, so the run does not stop."""
    monkeypatch.setattr(leases, "_RENEW_SECONDS", 0.01)
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=0.05))
    take, failed, renewed = leases._take, threading.Semaphore(0), threading.Semaphore(0)
    away = threading.Event()

    def taking(of: Ledger, holder: str) -> None:
        if away.is_set():
            failed.release()
            raise sa.exc.OperationalError("renew", {}, Exception("database is locked"))
        take(of, holder)
        renewed.release()

    monkeypatch.setattr(leases, "_take", taking)
    with lease(ledger, "first") as lost:
        away.set()
        assert all(failed.acquire(timeout=10) for _ in range(10))
        assert not lost.wait(0.1)
        away.clear()
        assert all(renewed.acquire(timeout=10) for _ in range(2))
        assert not lost.is_set()


@pytest.mark.parametrize("after", [1, 3], ids=["between two chunks", "before the settlement"])
def test_a_run_whose_lease_was_taken_commits_nothing_more(after: int) -> None:
    """It stood still for longer than a lease: its first commit after that fails, and the next run settles what it began."""
    with World(limits={"max_first_creates": 100}, chunk=1) as world:
        for number in range(3):
            world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
        write = world.ghl.write

        def writing(writes: Sequence[Write]) -> Iterator[Reply]:
            replies = list(write(writes))
            if len(world.ghl.rows(Entity.CONTACT)) == after:
                taken_over(world.ledger)
            yield from replies

        world.ghl.write = writing  # type: ignore[method-assign]
        with pytest.raises(Locked, match="elsewhere/1/next"), lease(world.ledger, "first"):
            night(world)
        assert holder_of(world.ledger) == "elsewhere/1/next"
        assert (len(world.ghl.rows(Entity.CONTACT)), world.links()) == (after, {})
        del world.ghl.write
        night(world)
        assert len(world.ghl.rows(Entity.CONTACT)) == len(world.links()) == 3
