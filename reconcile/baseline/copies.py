"""Keeps a Parquet copy of the links beside the ledger.

A million of them then load in a moment. The ledger stays the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage

Columns = Sequence[tuple[str, str]]
"""(name, SQL type) of what is copied of each link."""


def save(
    stage: Stage, ledger: Ledger, folder: Path, entities: Iterable[Entity], columns: Columns
) -> None:
    """Copy the links as the last settlement left them, under its generation and run.

    Older copies go.

    Without a run that settled the present generation (a recovery, a partial run) there is nothing
    to name a copy by.
    """
    name = _name(ledger)
    for old in folder.glob("*.parquet"):
        old.unlink(missing_ok=True)
    if name is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for entity in entities:
        read(stage, ledger, entity, columns, into="stage.copied")
        path, partial = folder / f"{entity}-{name}.parquet", folder / f"{entity}-{name}.partial"
        stage.run(
            f"COPY copied TO {literal(str(partial))} (FORMAT parquet, COMPRESSION "
            "lz4); DROP TABLE copied"
        )
        partial.replace(path)


def load(
    stage: Stage, ledger: Ledger, folder: Path, entity: Entity, columns: Columns, *, into: str
) -> bool:
    """Create the table `into` from the copy.

    False where there is none of exactly the ledger's present state.

    The name ties a copy to a generation and to the run that settled it: a ledger that was restored
    from a backup has another run at that place, or none.
    """
    name = _name(ledger)
    path = folder / f"{entity}-{name}.parquet"
    if name is None or not path.exists():
        return False
    typed = ", ".join(f"{column}::{kind} AS {column}" for column, kind in columns)
    stage.expect(path)
    try:
        stage.run(
            f"CREATE OR REPLACE TABLE {into} AS SELECT {typed} "
            f"FROM read_parquet({literal(str(path))})"
        )
    except duckdb.Error:
        return False
    return stage.count(f"SELECT count(*) FROM {into}") == _links(ledger, entity)


def read(stage: Stage, ledger: Ledger, entity: Entity, columns: Columns, *, into: str) -> None:
    """Create the table `into` from the ledger itself."""
    stage.fill(into, columns, ledger.links(entity, [name for name, _ in columns]))


def _name(ledger: Ledger) -> str | None:
    """A name for the ledger's present state: its generation, and the run that settled it."""
    generation = ledger.state().generation
    run = schema.run
    query = sa.select(run.c.run_id).where(
        ledger.owns(run), run.c.generation == generation - 1, run.c.state == "settled"
    )
    with ledger.engine.connect() as connection:
        run_ids = [run_id for (run_id,) in connection.execute(query)]
    if len(run_ids) == 1:
        return f"{generation}-{run_ids[0]}"
    return None


def _links(ledger: Ledger, entity: Entity) -> int:
    link = schema.link
    query = sa.select(sa.func.count()).where(ledger.owns(link), link.c.entity == entity.value)
    with ledger.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())
