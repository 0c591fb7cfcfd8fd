"""What counts as going back and forth, beside the golden cases of tests/scenarios/flapping.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from connectors.memory import Crash, Killed
from reconcile.compare import flapping
from reconcile.compare.flapping import Moved, Wrote, taken_back
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Entity, OpKind, Side
from reconcile.plan.limits import Limits
from reconcile.report.mask import unquoted
from reconcile.stage.archive import Archived, store
from reconcile.stage.stage import Stage
from reconcile.undo.backtest import backtest
from tests.builders import Result, World
from tests.flows.nights import night, take_back

C = Entity.CONTACT


def _wrote(
    side: Side, before: Cell, after: Cell, *, stored: Cell = "", undoing: bool = False
) -> Wrote:
    return Wrote("r", "2026-01-01", side, before, after, after if stored == "" else stored, undoing)


APP, GHL = _wrote(Side.APP, "A", "B"), _wrote(Side.GHL, "B", "A")
BACK_IN_APP = Moved({Side.APP: "A", Side.GHL: "B"}, {Side.APP: "B", Side.GHL: "B"})
BACK_IN_GHL = Moved({Side.APP: "A", Side.GHL: "B"}, {Side.APP: "A", Side.GHL: "A"})


@pytest.mark.parametrize(
    ("writes", "moved", "count"),
    [
        ([APP, GHL, APP], BACK_IN_APP, 3),
        ([GHL, GHL, GHL], BACK_IN_GHL, 3),
        ([APP], BACK_IN_APP, 1),
        ([], BACK_IN_APP, 0),
        ([APP, GHL, APP], Moved({Side.APP: "C", Side.GHL: "B"}, {Side.APP: "B", Side.GHL: "B"}), 0),
        ([APP, GHL, APP], Moved({Side.APP: "A", Side.GHL: "B"}, {Side.APP: "A", Side.GHL: "B"}), 0),
        ([APP, _wrote(Side.GHL, "X", "Y"), APP], BACK_IN_APP, 1),
        ([GHL, replace(GHL, undoing=True), GHL], BACK_IN_GHL, 1),
        ([GHL, GHL, replace(GHL, undoing=True)], BACK_IN_GHL, 0),
        ([GHL, _wrote(Side.GHL, "B", "A", stored="B"), GHL], BACK_IN_GHL, 1),
        ([_wrote(Side.GHL, "X", "A"), GHL], BACK_IN_GHL, 1),
    ],
    ids=[
        "both sides, in turn",
        "one side, each time",
        "once",
        "never",
        "went on to a third value",
        "did not move",
        "an unrelated write between",
        "an undo run between",
        "an undo run last",
        "a value that was never kept between",
        "from another value before",
    ],
)
def test_only_what_its_own_side_took_back_counts(
    writes: list[Wrote], moved: Moved, count: int
) -> None:
    """A write counts when its side went from what was written back to what it held before, without a break up to now."""
    assert len(taken_back(writes, moved)) == count


def _swing(world: World, rounds: int) -> list[Result]:
    """Two automations: GHL's says B, the app's says A, each after a run has brought the other's value."""
    results = []
    for number in range(rounds):
        side, value = (world.ghl, "B") if number % 2 == 0 else (world.app, "A")
        side.edit(C, next(iter(side.rows(C))), {"company": value})
        results.append(world.run())
    return results


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """A contact that both sides hold."""
    with World() as made:
        made.app.put(C, {"email": "ann@x.com", "company": "A"}, key="a1")
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def test_h12_a_field_that_goes_back_and_forth_is_held(world: World) -> None:
    """The third write that is taken back is the last: from then on the field is held, run after run, and nothing else of its record."""
    *before, held = _swing(world, 4)
    assert [len(result.holds) for result in before] == [0, 0, 0]
    assert [hold.kind for hold in held.holds] == ["flapping"]
    world.app.edit(C, "a1", {"first_name": "Ann"})
    after = world.run()
    assert [(o.kind, dict(o.after)) for o in after.operations] == [
        (OpKind.UPDATE, {"first_name": "Ann"})
    ]
    assert after.holds == held.holds


def test_what_was_written_over_a_month_ago_does_not_count(world: World) -> None:
    """Two values that change places every few weeks are people's work."""
    for number in range(6):
        world.clock.advance(16 * 86_400)
        side, value = (world.ghl, "B") if number % 2 == 0 else (world.app, "A")
        side.edit(C, next(iter(side.rows(C))), {"company": value})
        result = world.run()
        assert len(result.writes) == 1
        assert not result.holds


def test_an_undo_run_ends_the_count(world: World) -> None:
    """A person who takes a run back is no automation: what was counted before it is forgotten."""
    _swing(world, 2)
    world.ghl.edit(C, next(iter(world.ghl.rows(C))), {"company": "B"})
    take_back(world, night(world))
    world.ghl.edit(C, next(iter(world.ghl.rows(C))), {"company": "C"})
    assert len(world.run().writes) == 1
    assert not _swing(world, 2)[-1].holds


def test_a_run_that_was_killed_counts_too(world: World) -> None:
    """The journal is all that is asked, so that a write of a run that was killed before it settled counts as well."""
    _swing(world, 2)
    world.ghl.edit(C, next(iter(world.ghl.rows(C))), {"company": "B"})
    world.set_vices(Side.APP, crash=Crash(world.app.carried_out + 1, "after"))
    with pytest.raises(Killed):
        world.run()
    world.set_vices(Side.APP, crash=None)
    world.reopen()
    assert not world.run().writes
    world.app.edit(C, "a1", {"company": "A"})
    assert [hold.kind for hold in world.run().holds] == ["flapping"]


def test_the_reason_can_be_shown_around() -> None:
    """In a masked report, and in Prefect, the values in the reason are initials and dots."""
    place = ("l1", "company", None)
    said = flapping._because(place, [APP, _wrote(Side.GHL, None, "He said “no” to\nAnn Lee")])
    assert "“A”" in said
    assert "Ann Lee" in said
    masked = unquoted(said)
    assert "Ann" not in masked
    assert "“A•••”" in masked
    assert "a blank" in masked


def test_a_backtest_asks_as_the_run_did(world: World, tmp_path: Path) -> None:
    """What was held then is held in its backtest, and a lower limit asks about what was written then."""
    _swing(world, 2)
    world.ghl.edit(C, next(iter(world.ghl.rows(C))), {"company": "B"})
    with Stage(tmp_path / "run", beside=[tmp_path / "kept"]) as stage:
        run = world.open(stage)
        world.look(run)
        store(stage, run.mapping, tmp_path / "kept")
        mapping = run.mapping
    for times, gained in ((3, 0), (2, 1)):
        with (
            Archived(tmp_path / "kept") as archived,
            Stage(tmp_path / f"again-{times}", beside=[tmp_path / "kept"]) as stage,
        ):
            found = backtest(archived, mapping, stage, limits=Limits(flapping=times), run_id="r")
            assert [row["kind"] for row in found.holds_gained] == ["flapping"] * gained
            assert len(found.lost) == gained


def test_a_ledger_of_the_former_version_gets_the_column(tmp_path: Path) -> None:
    """A journal without links is given them, keeps its rows, and its history starts there."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    made = Ledger(url, "p")
    with made.engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", "reconcile.ledger:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        connection.commit()
        names = {column["name"] for column in sa.inspect(connection).get_columns("journal")}
        connection.execute(
            sa.text(
                "INSERT INTO journal (run_id, op_id, operation, begun_at) VALUES ('r', 'o', '{}', 'now')"
            )
        )
        connection.commit()
    made.close()
    assert "link_id" not in names
    again = Ledger(url, "p")
    with again.engine.connect() as connection:
        assert connection.execute(
            sa.select(schema.journal.c.op_id, schema.journal.c.link_id)
        ).all() == [("o", None)]
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("journal")}
    again.close()
    assert "journal_by_link" in indexes
