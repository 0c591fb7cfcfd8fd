"""Gives back the lease of a run whose process is gone, so that the next one need not wait for it to expire."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger


def holder_of(ledger: Ledger) -> str | None:
    """Who holds the pair's lease: host/process/run."""
    table = schema.lease
    with ledger.engine.connect() as connection:
        return connection.execute(sa.select(table.c.holder).where(table.c.pair == ledger.pair)).scalar_one_or_none()


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
        state = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return state[:1] == ["Z"]
