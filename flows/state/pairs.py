"""The pair files that a ledger keeps.

Any worker who reaches the ledger can run them without a shared disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from flows.clock import now
from flows.config import Pair, load
from flows.config.pair import with_driver
from flows.wiring.worker import Gate, settings
from reconcile.errors import ConfigError, Problem
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger

TABLE = schema.pair_file


def url_of(reference: str, option: str = "--ledger") -> str:
    """A database's URL, the ledger's unless told.

    The reference itself, or what the environment variable in "env:NAME" holds.

    Raises ConfigError where it is unset.
    """
    if not reference.startswith("env:"):
        return with_driver(reference)
    name = reference.removeprefix("env:")
    if not os.environ.get(name):
        what = f"the environment variable {name} is not set"
        raise ConfigError(
            [Problem(option, what, f"set it before the run: export {name}=postgresql://…")]
        )
    return with_driver(os.environ[name])


def keep(path: Path) -> Pair:
    """Keep a pair file in the ledger that it names, in place of an earlier one.

    Raises ConfigError for one that is wrong.

    The text is kept as it stands: a secret stays a reference, which each worker looks up for
    itself.
    """
    pair = load(path)
    body = path.read_text(encoding="utf-8-sig")
    with _opened(pair.ledger_url.get_secret_value()) as ledger, ledger.transaction() as connection:
        connection.execute(sa.delete(TABLE).where(TABLE.c.pair == pair.name))
        connection.execute(sa.insert(TABLE).values(pair=pair.name, body=body, at=now()))
    return pair


def drop(url: str, name: str) -> None:
    """Take a pair file out of the ledger; what its runs left there stays.

    Raises ConfigError where there is none.
    """
    with _opened(url) as ledger, ledger.transaction() as connection:
        if not connection.execute(sa.delete(TABLE).where(TABLE.c.pair == name)).rowcount:
            raise ConfigError(
                [
                    Problem(
                        "ledger",
                        f"it keeps no pair file {name!r}",
                        "ledger pairs lists those it keeps",
                    )
                ]
            )


def pair_files(url: str) -> list[tuple[str, str]]:
    """(pair, when it was kept) of every pair file in the ledger, by name."""
    with _opened(url) as ledger, ledger.engine.connect() as connection:
        return [
            (row.pair, row.at)
            for row in connection.execute(sa.select(TABLE).order_by(TABLE.c.pair))
        ]


def last_seconds(url: str, job: str) -> dict[str, float]:
    """How long the last run of a job that did not fail took, by pair, as the ledger has it."""
    run = schema.run
    whole = (run.c.job == job, run.c.state != "failed", run.c.ended_at.is_not(None))
    begun = sa.func.max(run.c.started_at).label("begun")
    last = sa.select(run.c.pair, begun).where(*whole).group_by(run.c.pair).subquery()
    same = (run.c.pair == last.c.pair) & (run.c.started_at == last.c.begun)
    wanted = sa.select(run.c.pair, run.c.started_at, run.c.ended_at).join(last, same)
    seconds = {}
    with _opened(url) as ledger, ledger.engine.connect() as connection:
        for pair, started_at, ended_at in connection.execute(wanted.where(*whole)):
            took = datetime.fromisoformat(ended_at) - datetime.fromisoformat(started_at)
            seconds[pair] = took.total_seconds()
    return seconds


def write_out(
    url: str,
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    kept_in: str = "",
    refuse: Callable[[str, ConfigError], None] | None = None,
) -> list[Path]:
    """Write the named pair files, or all, into a folder, as NAME.toml; returns them by name.

    Raises ConfigError for none.

    A row that names what the worker's settings do not give it is not written: `refuse` is told, or
    it is raised. `kept_in` is how the caller was told the ledger.
    """
    wanted = sa.select(TABLE).order_by(TABLE.c.pair)
    if names is not None:
        wanted = wanted.where(TABLE.c.pair.in_(list(names)))
    with _opened(url) as ledger, ledger.engine.connect() as connection:
        rows = list(connection.execute(wanted))
    if not rows:
        what = "it keeps no pair file" + (f" {', '.join(names)}" if names else "")
        raise ConfigError([Problem("ledger", what, "ledger add --pair FILE keeps one")])
    gate, passed = Gate(settings(), folder, kept_in), []
    for row in rows:
        try:
            gate.check(row.pair, row.body)
            passed.append(row)
        except ConfigError as error:
            if refuse is None:
                raise
            refuse(row.pair, error)
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(folder / f"{row.pair}.toml", row.body) for row in passed]


def _written(file: Path, body: str) -> Path:
    # In one step: another worker may read the same file from a disk that they share.
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.touch(mode=0o600)
    partial.write_text(body, encoding="utf-8")
    return partial.replace(file)


@contextmanager
def _opened(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, "")
    try:
        yield ledger
    finally:
        ledger.close()
