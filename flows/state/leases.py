"""Gives back the lease of a run whose process is gone, so that the next one need not wait for it to expire."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from flows import errors
from flows.clock import moment
from flows.state import leases
from reconcile.errors import Locked
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger

log = logging.getLogger("flows.state.leases")


def holder_of(ledger: Ledger) -> str | None:
    """Who holds the pair's lease: host/process/run."""
    table = schema.lease
    with ledger.engine.connect() as connection:
        return connection.execute(
            sa.select(table.c.holder).where(table.c.pair == ledger.pair)
        ).scalar_one_or_none()


def place() -> str:
    """Where this process runs, so that its number means something: host, boot and process namespace (Linux)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        space = str(Path("/proc/self/ns/pid").readlink()).partition("[")[2].rstrip("]")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}:{boot}:{space}"


def release_dead(pair: Path) -> bool:
    """Give back the lease of the pair in that file where its holder is gone. Whether it was."""
    from flows.config import load

    loaded = load(pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    try:
        return free(ledger)
    finally:
        ledger.close()


def free(ledger: Ledger) -> bool:
    """Give back the pair's lease where its holder was a process of this place that no longer runs. Whether it was.

    What that run left in doubt stays in the journal: the next run looks it up before it does anything.
    """
    holder = holder_of(ledger)
    if holder is None or not _dead(holder):
        return False
    ledger.release(holder)
    return True


def _dead(holder: str) -> bool:
    where, _, rest = holder.partition("/")
    number = rest.partition("/")[0]
    if where != place() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _zombie(int(number))


def _zombie(number: int) -> bool:
    """Whether the process has ended and only its parent has not noticed (Linux)."""
    try:
        state = (
            Path(f"/proc/{number}/stat")
            .read_text(encoding="ascii", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except OSError:
        return False
    return state[:1] == ["Z"]


LEASE = timedelta(minutes=5)

_RENEW_SECONDS = 60.0


@contextmanager
def lease(ledger: Ledger, holder: str) -> Iterator[threading.Event]:
    """Hold the pair's lease and renew it in the background; the event says that it was lost all the same.

    A killed holder's lease runs out by itself; that of one killed on this machine is taken over at once.
    """
    leases.free(ledger)
    _take(ledger, holder)
    done, lost = threading.Event(), threading.Event()
    renewer = threading.Thread(
        target=_renew, args=(ledger, holder, done, lost), name="lease", daemon=True
    )
    renewer.start()
    try:
        yield lost
    finally:
        done.set()
        renewer.join()
        ledger.release(holder)


def _take(ledger: Ledger, holder: str) -> None:
    at = ledger.moment() or datetime.now(UTC)
    ledger.acquire(holder, now=moment(at), until=moment(at + LEASE))


def _renew(ledger: Ledger, holder: str, done: threading.Event, lost: threading.Event) -> None:
    """Renew until `done`. A store that does not answer is asked again, until the lease has run out and is anybody's."""
    renewed = time.monotonic()
    while not done.wait(_RENEW_SECONDS):
        try:
            _take(ledger, holder)
            renewed = time.monotonic()
        except (Locked, sa.exc.SQLAlchemyError) as error:
            log.warning("the lease was not renewed", extra={"why": errors.reason(error)})
            if isinstance(error, Locked) or time.monotonic() - renewed > LEASE.total_seconds():
                lost.set()
                return
