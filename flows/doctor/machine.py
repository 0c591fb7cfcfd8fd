"""What a run needs of this machine.

Versions that work together, disk, and a ledger that can be reached.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import sqlalchemy as sa

from flows.config import Pair
from flows.doctor.finding import Finding, error, ok, warning
from flows.run import SAME_ENDS
from flows.steps.ends import holder
from reconcile.errors import to_install
from reconcile.ledger import schema
from reconcile.model import Side
from reconcile.ports import Description

_PINS: Mapping[str, tuple[str, str, str]] = {
    "prefect": ("3.8.8", "4", "older ones lack what the flows use"),
    "fastapi": ("0.1", "0.151", "newer ones keep Prefect's server from starting a flow"),
    "sqlalchemy": (
        "2.0.40",
        "2.1",
        "with 2.1 Prefect never creates a scheduled run, and says so in its server's log only",
    ),
    "duckdb": ("1.5.5", "2.1", "the SQL is tested on these"),
}
"""Package: the least version, the first that is too new, and why."""

_LEAST_FREE = 1_000_000_000


def installed(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions(version_of: Callable[[str], str | None] = installed) -> Iterator[Finding]:
    """Whether the packages that must fit together do."""
    for package, (least, below, why) in _PINS.items():
        has = version_of(package)
        if has is None:
            yield error(f"{package} is not installed", "Run ./dev setup.")
        elif not _numbers(least) <= _numbers(has) < _numbers(below):
            yield error(
                f"{package} {has} is installed, expected >={least},<{below}: {why}",
                "Run ./dev setup.",
            )
        else:
            yield ok(f"{package} {has}")


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version; anything behind them (rc1, .post2) is left out."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def prefect_server() -> Iterator[Finding]:
    """Whether Prefect's server can be imported with what is installed beside it."""
    try:
        import_module("prefect.server.api.server")
    except Exception as failed:  # noqa: BLE001 - whatever it is, it is the finding
        yield error(
            f"Prefect's server cannot be imported ({type(failed).__name__})",
            "Run ./dev setup, or use --engine local.",
        )
    else:
        yield ok("Prefect's server can be imported")


def receivers(pair: Pair) -> Iterator[Finding]:
    """Whether each receiver of alerts is one that can be told; none is told anything."""
    from flows.outcome.notify import understood

    for place, url in enumerate(pair.alerts.notify, start=1):
        if understood(url.get_secret_value()) is None:
            what = f"receiver {place} of [alerts] notify is no service that Apprise knows"
            yield error(what, "Write its URL as Apprise has it; try it with `notify`.")
        else:
            yield ok(f"receiver {place} of [alerts] notify is understood")


def disk(pair: Pair) -> Iterator[Finding]:
    """Whether the store can be written and has room; an object store is not touched."""
    if "://" in pair.store:
        yield ok(f"the store is {pair.store.partition('://')[0]}, not a disk of this machine")
        return
    folder = _existing(Path(pair.store))
    if not os.access(folder, os.W_OK | os.X_OK):
        yield error(
            f"{folder} cannot be written to",
            "Give the user who runs the job the right to write there.",
        )
        return
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB are free for the store"
    if free < _LEAST_FREE:
        yield warning(
            said,
            (
                "Free some space, or prune old runs: a run of a large location "
                "stages several hundred MB."
            ),
        )
    else:
        yield ok(said)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def ends(pair: Pair, described: Mapping[Side, Description]) -> Iterator[Finding]:
    """Whether another pair of the same ledger has both ends.

    What a ledger of its own holds nobody can see from here.
    """
    url = sa.make_url(pair.ledger_url.get_secret_value())
    other = None
    if url.get_backend_name() != "sqlite" or Path(url.database or "").exists():
        engine = sa.create_engine(url, hide_parameters=True)
        try:
            with engine.connect() as connection:
                # A ledger that is empty, or of an earlier version, has no such table: the next run
                # makes it.
                if sa.inspect(connection).has_table(schema.ends.name):
                    other = holder(connection, pair, described)
        except (sa.exc.SQLAlchemyError, ImportError):
            return  # said already
        finally:
            engine.dispose()
    if other:
        what = f"pair {other!r} of this ledger has both ends, too: a run is refused (ENDS_HELD)"
        yield error(
            what,
            (
                f'Write pair = "{other}"; where that pair is retired, or was renamed: '
                f"`run --allow {SAME_ENDS}`."
            ),
        )
    else:
        yield ok(
            "no other pair has both ends (of this ledger alone: "
            "a pair with a ledger of its own is not seen)"
        )


def ledger(pair: Pair) -> Iterator[Finding]:
    """Whether the ledger can be reached.

    A SQLite ledger that is not there yet is made by the first run, not by this.
    """
    url = sa.make_url(pair.ledger_url.get_secret_value())
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        yield ok("there is no ledger yet: the first run makes it")
        return
    try:
        engine = sa.create_engine(url, hide_parameters=True)
        with engine.connect() as connection:
            connection.execute(sa.select(1))
        engine.dispose()
    except ModuleNotFoundError as failed:
        what = f"the driver {failed.name} of the ledger's database is not installed"
        yield error(what, f"Install it: {to_install(str(failed.name))}.")
    except sa.exc.SQLAlchemyError as failed:
        yield error(
            f"the ledger cannot be reached ({type(failed).__name__})",
            "Check ledger in the pair file, and the server.",
        )
    else:
        yield ok(f"the ledger answers ({url.get_backend_name()})")
