"""A copy of the links beside the ledger is used where it is of exactly the ledger's present state, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.ledger.ledger import Ledger
from reconcile.link.link import keep_base, load_base
from reconcile.model import Entity
from reconcile.stage.stage import Stage
from tests.builders import World

ROWS = "SELECT * FROM base_contact ORDER BY link_id"


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Two linked contacts, after a run that settled."""
    with World() as made:
        made.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@example.com"})
        made.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@example.com"})
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    """A stage to load links into."""
    with Stage(
        world.folder / "copying", memory_limit="256MB", threads=1, beside=[_kept(world)]
    ) as made:
        yield made


def _kept(world: World) -> Path:
    return world.folder / "kept"


def _settle_as(world: World, ledger: Ledger, run_id: str, state: str = "settled") -> None:
    """Say in the ledger that the present generation was settled by this run, as the job does."""
    from reconcile.ledger import runs

    runs.start(ledger, run_id, "nightly", at=world.clock())
    runs.mark(ledger, run_id, state=state, generation=ledger.state().generation - 1)


def test_copy_holds_what_the_ledger_holds(world: World, stage: Stage) -> None:
    """What is loaded from a copy equals what the ledger itself gives."""
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    assert len(list(_kept(world).glob("contact-*.parquet"))) == 1
    load_base(stage, world.ledger, Entity.CONTACT)
    truth = stage.rows(ROWS)
    load_base(stage, world.ledger, Entity.CONTACT, folder=_kept(world))
    assert stage.rows(ROWS) == truth
    assert len(truth) == 2


def test_copy_of_an_earlier_state_is_not_used(world: World, stage: Stage) -> None:
    """After a further settlement the old copy is passed over: the ledger is read, and knows the new link."""
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    world.app.put(Entity.CONTACT, {"first_name": "Cid", "email": "cid@example.com"})
    world.run()
    load_base(stage, world.ledger, Entity.CONTACT, folder=_kept(world))
    assert len(stage.rows(ROWS)) == 3


def test_broken_copy_is_not_used(world: World, stage: Stage) -> None:
    """A copy that cannot be read, or that lacks links, is passed over."""
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    (path,) = _kept(world).glob("*.parquet")
    stage.run(
        f"COPY (SELECT * FROM read_parquet('{path}') LIMIT 1) TO '{path}.less' (FORMAT parquet)"
    )
    for content in (b"not parquet", Path(f"{path}.less").read_bytes()):
        path.write_bytes(content)
        load_base(stage, world.ledger, Entity.CONTACT, folder=_kept(world))
        assert len(stage.rows(ROWS)) == 2


def test_older_copies_go(world: World, stage: Stage) -> None:
    """Only the newest copy lies there."""
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    world.app.put(Entity.CONTACT, {"first_name": "Cid", "email": "cid@example.com"})
    world.run()
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    assert len(list(_kept(world).glob("*.parquet"))) == 1


def test_state_without_a_name_is_not_copied(world: World, stage: Stage) -> None:
    """Where two runs claim the present generation there is nothing to name a copy by: none is made, and none is used."""
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    _settle_as(world, world.ledger, "another")
    load_base(stage, world.ledger, Entity.CONTACT, folder=_kept(world))
    assert len(stage.rows(ROWS)) == 2
    keep_base(stage, world.ledger, [Entity.CONTACT], _kept(world))
    assert list(_kept(world).glob("*.parquet")) == []
