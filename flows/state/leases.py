"""Gives back the lease of a run whose process is gone.

The next one need not wait for it to expire.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from flows import errors
from flows.clock import moment, present
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
            sa.select(table.c.holder).where(ledger.owns(table))
        ).scalar_one_or_none()


def place() -> str:
    """Where this process runs, so that its number means something.

    Host, boot and process namespace (Linux).
    """
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
    """Give back the pair's lease where its holder was a process of this place that no longer runs.

    Whether it was.

    What that run left in doubt stays in the journal: the next run looks it up before it does
    anything.
    """
    holder = holder_of(ledger)
    if holder is None or not _dead(holder):
        return False
    ledger.release(holder)
    return True


def holder_name(run_id: str) -> str:
    """What a run of this process holds the lease as: place/process/run.

    A number alone may be another process's by the time somebody asks; the moment it was started at
    is its own.
    """
    number = os.getpid()
    return f"{place()}/{number}{_begun(_stat(number))}/{run_id}"


def _dead(holder: str) -> bool:
    number, begun = _process(holder)
    if number is None:
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    now = _stat(number)
    if now[:1] == ["Z"]:  # it ended, and its parent has not noticed yet
        return True
    # Its number may have gone to another process since.
    return begun != "" and bool(now) and begun != _begun(now)


def _alive(holder: str) -> bool:
    """Whether it is certain that the holder's process runs.

    It runs here, and is not another one of its number.
    """
    number, begun = _process(holder)
    if number == os.getpid():
        return holder in _HELD
    return number is not None and begun != "" and not _dead(holder)


def _process(holder: str) -> tuple[int | None, str]:
    """The holder's process by number and start; None where it is not one of this place."""
    where, _, rest = holder.partition("/")
    number, mark, begun = rest.partition("/")[0].partition("@")
    if where != place() or not number.isdigit():
        return None, ""
    return int(number), mark + begun


def _stat(number: int) -> list[str]:
    """What Linux says of a process, from its state on.

    Nothing where there is no such process, or another system.
    """
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return status.rpartition(")")[2].split()


def _begun(stat: Sequence[str]) -> str:
    """`@` and the tick at which a process was started, counted from the start of the machine.

    No clock is set there.
    """
    if len(stat) > _START:
        return f"@{stat[_START]}"
    return ""


_HELD: set[str] = set()
"""Who holds a lease in this process.

A lease that could not be given back is not kept by the process's going on.
"""

_START = 19
"""Where Linux says when a process was started: its 22nd word, of which the state is the third."""


LEASE = timedelta(minutes=5)

_RENEW_SECONDS = 60.0


@contextmanager
def lease(ledger: Ledger, holder: str) -> Iterator[threading.Event]:
    """Hold the pair's lease and renew it in the background.

    The event says that it was lost all the same.

    A killed holder's lease runs out by itself; that of one killed on this machine is taken over at
    once. While it is held, the ledger commits nothing that it does not cover. Raises Locked where
    another run holds it.
    """
    leases.free(ledger)
    _refuse_beside_the_living(ledger)
    _take(ledger, holder)
    ledger.held_by = holder
    _HELD.add(holder)
    done, lost = threading.Event(), threading.Event()
    renewer = threading.Thread(
        target=_renew, args=(ledger, holder, done, lost), name="lease", daemon=True
    )
    renewer.start()
    try:
        yield lost
    finally:
        # Waited for: a renewal on its way would take the lease once more after it was given back.
        done.set()
        renewer.join()
        ledger.held_by = ""
        _HELD.discard(holder)
        ledger.release(holder)


def _refuse_beside_the_living(ledger: Ledger) -> None:
    """Raise Locked where the holder's process runs, whatever the clock says of its lease.

    A file is one machine's: its clock may have been set forward, or it slept; and whether a process
    of it runs can be seen.
    """
    holder = holder_of(ledger)
    if ledger.moment() is None and holder is not None and _alive(holder):
        raise Locked(
            f"pair {ledger.pair!r} is being run by {holder}, whose process runs",
            remedy="wait for it to end, or end that process if it does nothing any more",
        )


def _take(ledger: Ledger, holder: str) -> None:
    at = ledger.moment() or present()
    ledger.acquire(holder, now=moment(at), until=moment(at + LEASE))


def _renew(ledger: Ledger, holder: str, done: threading.Event, lost: threading.Event) -> None:
    """Renew until `done`, or until another run holds it, however long the store does not answer.

    A run of a million records keeps everybody from its file for minutes. Whether the lease is its
    own still, each commit asks.
    """
    while not done.wait(_RENEW_SECONDS):
        try:
            _take(ledger, holder)
        except (Locked, sa.exc.SQLAlchemyError) as error:
            log.warning("the lease was not renewed", extra={"why": errors.reason(error)})
            if isinstance(error, Locked):
                lost.set()
                return
