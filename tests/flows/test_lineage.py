"""An empty ledger, or an older one than its store's newest run: noticed before it is believed, with the way back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import fsspec
import pytest

from flows.config import load
from flows.run import Run
from flows.state.backups import back_up, restore
from reconcile.errors import Refused, StateError
from reconcile.model import Entity, Side
from tests.builders import World, by_email
from tests.flows.acme import Acme
from tests.flows.nights import night, take_back

C = Entity.CONTACT

Store = Callable[[Run], None]


@pytest.fixture(params=["folder", "away"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Where the pair keeps what its runs leave: a folder, or an object store."""

    def at(run: Run) -> None:
        pair = cast("Any", run.pair)
        if request.param == "away":
            pair.store, pair.path = f"memory://lineage/{tmp_path.name}", tmp_path / "pair.toml"

    yield at
    fsspec.filesystem("memory").store.clear()


def settled() -> World:
    """A world of two linked people; one of them is gone from GHL since."""
    world = World(limits={"max_first_creates": 100})
    for name in ("ann", "bea"):
        world.app.put(C, {"email": f"{name}@x.com", "first_name": name.title()})
    return world


def lost(world: World) -> None:
    """The ledger is gone, as with the disk that it was on."""
    world.ledger.close()
    for path in world.folder.glob("ledger.db*"):
        path.unlink()
    world.reopen()


def test_an_empty_ledger_beside_a_store_with_runs_is_refused(store: Store) -> None:
    """It would be a first run, and whoever was deleted in GHL would come back; by name it may be one."""
    with settled() as world:
        night(world, during=store)
        world.ghl.delete(C, by_email(world, Side.GHL, "ann@x.com"))
        lost(world)
        with pytest.raises(Refused) as refusal:
            night(world, during=store)
        assert refusal.value.code == "LEDGER_LOST"
        assert "`ledger restore FILE`" in refusal.value.remedy
        assert "`run --rebase`" in refusal.value.remedy
        assert len(world.cells(Side.GHL)) == 1
        night(world, during=store, allowed=frozenset({"rebase"}))
        assert len(world.cells(Side.GHL)) == 2
        night(world, during=store)


def test_an_older_ledger_is_refused(store: Store) -> None:
    """A backup of before the last run is not believed; the newest one is, and so is an undo's settlement."""
    with settled() as world:
        first = night(world, during=store)
        world.ledger.close()
        shutil.copy(world.folder / "ledger.db", world.folder / "old.db")
        world.reopen()
        world.app.put(C, {"email": "cleo@x.com", "first_name": "Cleo"})
        night(world, during=store)
        world.ledger.close()
        shutil.copy(world.folder / "ledger.db", world.folder / "new.db")
        for kept in ("new.db", "old.db"):
            for path in world.folder.glob("ledger.db*"):
                path.unlink()
            shutil.copy(world.folder / kept, world.folder / "ledger.db")
            world.reopen()
            if kept == "new.db":
                night(world, during=store)
                continue
            with pytest.raises(Refused) as refusal:
                night(world, during=store)
            assert refusal.value.code == "LEDGER_OLDER"
            night(world, during=store, allowed=frozenset({"rebase"}))
            night(world, during=store)
        assert first.exit_code == 0


def test_a_backup_from_the_middle_of_a_run_is_older_too() -> None:
    """A ledger that knows the run, but not that it settled, is refused before it recovers anything."""
    with settled() as world:
        night(world)
        world.app.put(C, {"email": "cleo@x.com", "first_name": "Cleo"})
        copied = world.folder / "middle.db"

        def copy(run: Run) -> None:
            told = run.connectors[Side.GHL].usage

            def usage() -> Any:
                back_up(cast("Any", Named(world)), copied) if not copied.exists() else None
                return told()

            cast("Any", run.connectors[Side.GHL]).usage = usage

        night(world, during=copy)
        world.ledger.close()
        for path in world.folder.glob("ledger.db*"):
            path.unlink()
        shutil.copy(copied, world.folder / "ledger.db")
        world.reopen()
        with pytest.raises(Refused, match="older than the store"):
            night(world)


class Named:
    """A pair as far as a backup of its ledger asks."""

    name = "p"

    def __init__(self, world: World) -> None:
        self.ledger_url = self
        self._url = f"sqlite:///{world.folder / 'ledger.db'}"

    def get_secret_value(self) -> str:
        """The ledger's address."""
        return self._url


def test_a_store_that_was_wiped_and_a_first_run_are_no_lost_ledger(store: Store) -> None:
    """Without a store's word nothing is refused; nor is the first run, nor one after an undo."""
    with settled() as world:
        told = night(world, during=store)
        (world.folder / "ledger-p.json").unlink(missing_ok=True)
        night(world, during=store)
        take_back(world, told)
        night(world, during=store)


def test_a_store_of_an_earlier_version_is_looked_through(store: Store) -> None:
    """Where nothing says how far the ledger had come, an empty one is held against the reports of earlier runs."""
    with settled() as world:
        night(world, during=store)
        (world.folder / "ledger-p.json").unlink(missing_ok=True)
        memory = fsspec.filesystem("memory")
        for path in memory.glob("/lineage/*/ledger-p.json"):
            memory.rm(path)
        lost(world)
        with pytest.raises(Refused, match="first run"):
            night(world, during=store)


def test_a_backup_is_put_back_by_a_command(tmp_path: Path) -> None:
    """`ledger restore` brings the newest backup back, keeps what it replaces, and takes no other file."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    pair = load(acme.pair)
    acme.run()
    kept = back_up(pair, tmp_path / "backup.db")
    ledger = acme.folder / "state" / "ledger.db"
    for path in ledger.parent.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(Refused, match="first run"):
        acme.run()
    with pytest.raises(StateError, match="no ledger that knows"):
        restore(pair, acme.pair)
    aside = restore(pair, kept)
    assert aside is not None
    assert aside.exists()
    assert acme.run().told.exit_code in (0, 1)
    assert not acme.run().residual
