"""Old runs' files go by rule; what undo, recovery or an open question needs stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flows.clock import moment
from flows.state.pruning import Keep, expendable, prune
from reconcile.ledger.runs import RunRow, runs
from reconcile.model import Entity, Side
from reconcile.stage.archive import MANIFEST
from tests.builders import World, by_email
from tests.flows.nights import night, take_back

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def row_of(days: int, state: str = "settled") -> RunRow:
    """A run that began so many days ago, named by that."""
    return RunRow(
        f"d{days}", "nightly", state, moment(NOW - timedelta(days=days)), None, 1, None, {}
    )


def expended(rows: list[RunRow], asked: frozenset[str] = frozenset(), **keep: int) -> list[str]:
    return expendable(
        rows, Keep(**{"runs": 1, "days": 10, **keep}), now=moment(NOW), with_questions=asked
    )


def test_runs_are_kept_by_number_and_by_age() -> None:
    """What either rule keeps stays."""
    rows = [row_of(days) for days in (1, 5, 20, 30, 40)]
    assert expended(rows) == ["d20", "d30", "d40"]
    assert expended(rows, runs=4) == ["d40"]
    assert expended(rows, days=35) == ["d40"]


def test_the_newest_settled_run_is_never_expendable() -> None:
    """However old it is: it is what undo and explain start from."""
    rows = [row_of(1, "refused"), row_of(50, "planned"), row_of(60), row_of(70)]
    assert expended(rows) == ["d50", "d70"]


def test_a_run_with_an_open_question_stays() -> None:
    """The question's evidence is in its archive."""
    assert expended([row_of(1), row_of(50), row_of(60)], asked=frozenset({"d60"})) == ["d50"]


@pytest.mark.parametrize("state", ["running", "applying"])
def test_an_unfinished_run_stays_for_recovery(state: str) -> None:
    """Its stage may be all that is left of what it saw."""
    assert expended([row_of(1), row_of(50, state)]) == []


def test_prune_removes_folders_and_stages_and_nothing_else() -> None:
    """Old runs go whole; kept settled ones lose their stage alone, and can be undone from their archive all the same."""
    with World(limits={"max_first_creates": 100}) as world:
        ann = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        bob = world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com"})
        world.app.put(Entity.NOTE, {"body": "kept"}, parent=ann)
        world.app.put(Entity.NOTE, {"body": "other"}, parent=bob)
        old = night(world)
        night(world)
        world.clock.advance(200 * 86_400)
        world.app.delete(Entity.CONTACT, ann)
        told = night(world)
        folder = world.folder / "runs"
        keep = Keep(runs=1, days=90)
        looked = prune(world.ledger, folder, keep, now=world.clock(), really=False)
        assert (folder / old.document["run_id"]).is_dir()
        assert prune(world.ledger, folder, keep, now=world.clock(), really=True) == looked
        assert looked.bytes > 0
        assert sorted(path.name for path in folder.iterdir()) == [told.document["run_id"]]
        assert looked.stages == (told.document["run_id"],)
        assert not (folder / told.document["run_id"] / "stage.duckdb").exists()
        assert (folder / told.document["run_id"] / MANIFEST).exists()
        assert len(runs(world.ledger)) == 3
        take_back(world, told)
        ann_again = by_email(world, Side.GHL, "ann@x.com")
        assert [
            r.parent for r in world.ghl.rows(Entity.NOTE).values() if "kept" in str(r.fields)
        ] == [ann_again]
