"""An empty ledger, or an older one than its store's newest run: noticed before it is believed, with the way back."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flows.config import load
from flows.run import Run
from flows.state.backups import back_up, restore
from reconcile.errors import Refused, StateError
from reconcile.model import Entity, Side
from tests.builders import World, by_email
from tests.flows.acme import Acme
from tests.flows.calls import say
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


def asked(world: World) -> list[Any]:
    """The questions that are open and unanswered."""
    decided = {decision.hold_id for decision in world.ledger.decisions()}
    return [row for row in world.ledger.holds() if row.hold_id not in decided]


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


def test_a_store_that_does_not_answer_refuses_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty ledger beside a store that cannot be asked: the run goes on, and the log says that nobody was asked."""

    def away(run: Run) -> None:
        cast("Any", run.pair).store = "memory://silent"
        monkeypatch.setattr(MemoryFileSystem, "exists", silent)

    def silent(*_: object) -> bool:
        raise TimeoutError

    with settled() as world:
        night(world)
        lost(world)
        with caplog.at_level(logging.WARNING):
            night(world, during=away)
        assert "the store was not asked how far the ledger had come" in caplog.messages


def test_what_a_first_run_after_a_lost_ledger_means() -> None:
    """Linked by the rules, nobody is made twice; what differs is asked about; who was deleted comes back; answers are gone."""
    with settled() as world:
        night(world)
        for side, name in ((Side.APP, "Beatrix"), (Side.GHL, "Beate")):
            key = by_email(world, side, "bea@x.com")
            world.sides[side].edit(C, key, {"first_name": name})
        night(world)
        (question,) = asked(world)
        world.decide(question, "leave")
        night(world)
        assert asked(world) == []
        world.ghl.delete(C, by_email(world, Side.GHL, "ann@x.com"))
        lost(world)
        night(world, allowed=frozenset({"rebase"}))
        assert len(asked(world)) == 1
        assert [len(world.cells(side)) for side in Side] == [2, 2]


def test_what_an_older_ledger_means() -> None:
    """Of those whom runs made since, one whom a rule knows is linked again; one without email and phone is made twice."""
    with settled() as world:
        night(world)
        world.ledger.close()
        shutil.copy(world.folder / "ledger.db", world.folder / "old.db")
        world.reopen()
        world.app.put(C, {"email": "cleo@x.com", "first_name": "Cleo"})
        world.app.put(C, {"first_name": "Nameless"})
        world.app.edit(C, by_email(world, Side.APP, "bea@x.com"), {"first_name": "Beatrix"})
        night(world)
        lost(world)
        world.ledger.close()
        shutil.copy(world.folder / "old.db", world.folder / "ledger.db")
        world.reopen()
        night(world, allowed=frozenset({"rebase"}))
        assert asked(world) == []
        names = sorted(str(cells["first_name"]) for cells in world.cells(Side.GHL).values())
        assert names == ["Ann", "Beatrix", "Cleo", "Nameless", "Nameless"]


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
    acme = Acme.settled(tmp_path / "acme")
    pair = load(acme.pair)
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


def test_a_new_start_is_shown_and_carried_out_under_the_same_option(tmp_path: Path) -> None:
    """`plan --rebase` shows what going on without the ledger would do, and `apply DIGEST --rebase` does it."""
    acme = Acme.settled(tmp_path / "acme")
    for path in (acme.folder / "state").glob("ledger.db*"):
        path.unlink()
    assert "LEDGER_LOST" in say("plan", "--pair", acme.pair).errors
    shown = say("plan", "--rebase", "--pair", acme.pair, "--json").document
    digest = shown["provenance"]["plan_digest"]
    assert "LEDGER_LOST" in say("apply", digest, "--pair", acme.pair).errors
    assert say("apply", digest, "--rebase", "--pair", acme.pair, "--verify", "none").code < 2
