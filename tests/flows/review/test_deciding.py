"""Answers are recorded for what was shown, and for nothing else: one by one, or a whole spreadsheet at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from flows.config import load
from flows.review.deciding import Changed, answer, answer_all
from reconcile.errors import ConfigError, StateError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from reconcile.report.decisions import Decided
from reconcile.report.sheet import DECISIONS, HEADS
from tests.builders import HOLD, World, contacts, mapping_of
from tests.flows.acme import Acme
from tests.flows.calls import Said, say

C = Entity.CONTACT
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Two of Ann in the app and one in GHL, and Bob with two companies: four questions."""
    with World() as world:
        world.app.put(C, {"email": "bob@x.com", "company": "Old"}, key="bob")
        world.run()
        world.app.edit(C, "bob", {"company": "A"})
        world.ghl.edit(C, world.links()["bob"], {"company": "B"})
        for key in ("a1", "a2"):
            world.app.put(C, {"email": "ann@x.com"}, key=key)
        world.ghl.put(C, {"email": "ann@x.com"}, key="g1")
        world.run()
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def asked(world: World) -> dict[str, Any]:
    """The rows of the holds: those about a1, a2 and g1, and the conflict of `bob`."""
    rows = [(json.loads(row.body), row) for row in world.ledger.holds(only_open=False)]
    return {"bob" if body["kind"] == "conflict" else body["subject"]: row for body, row in rows}


def decided(row: Any, choice: str, place: int = 2, **more: str) -> Decided:
    """An answer as it stands in row `place` of a spreadsheet."""
    return Decided(
        **{
            "hold_id": row.hold_id,
            "choice": choice,
            "reason": "r",
            "shown": row.values_digest,
            "where": f"row {place}",
            **more,
        }
    )


def answers(world: World) -> dict[str, str | None]:
    return {name: row.decision for name, row in asked(world).items() if row.decision}


def test_answering_needs_a_known_hold_and_one_of_its_options(world: World) -> None:
    """The function that records an answer names the hold, the options, or the change that stands in the way."""
    conflict = asked(world)["bob"]
    with pytest.raises(StateError, match="there is no hold nope"):
        answer(world.ledger, "nope", "app", by="ann", at="t")
    with pytest.raises(StateError, match="its options are: app, ghl, leave"):
        answer(world.ledger, conflict.hold_id, "maybe", by="ann", at="t")
    with pytest.raises(Changed):
        answer(world.ledger, conflict.hold_id, "app", by="ann", at="t", shown="older")
    assert answers(world) == {}


def test_one_record_is_not_given_to_two_questions(world: World) -> None:
    """The second question that names the same record is refused; once the first is answered differently, it may."""
    one, two = (asked(world)[key].hold_id for key in ("a1", "a2"))
    answer(world.ledger, one, "link:g1", by="ann", at="t")
    answer(world.ledger, one, "link:g1", by="ann", at="t")
    with pytest.raises(StateError, match=f"g1 is the answer to hold {one} as well"):
        answer(world.ledger, two, "link:g1", by="bea", at="t")
    answer(world.ledger, one, "create", by="bea", at="t")
    answer(world.ledger, two, "link:g1", by="bea", at="t")
    assert answers(world) == {"a1": "create", "a2": "link:g1"}


def test_a_file_is_recorded_as_a_whole_or_not_at_all(world: World) -> None:
    """Each row that cannot be recorded is named with what to do; the others are not recorded either."""
    known = asked(world)
    given = [
        decided(known["bob"], "app", 2),
        decided(known["a1"], "link:g1", 3),
        decided(known["a2"], "link:g1", 4),
        decided(known["g1"], "create", 5, shown="what stood there last week"),
        decided(known["g1"], "create", 6, hold_id="nope"),
    ]
    with pytest.raises(ConfigError) as told:
        answer_all(world.ledger, given, by="ann", at="t")
    assert [problem.where for problem in told.value.problems] == [
        "row 3",
        "row 4",
        "row 5",
        "row 6",
    ]
    assert "leave the decision empty" in str(told.value)
    assert answers(world) == {}
    assert answer_all(world.ledger, given[:2], by="ann", at="t").count == 2
    assert answers(world) == {"bob": "app", "a1": "link:g1"}


def test_a_file_may_be_read_again(world: World) -> None:
    """What was answered so already is left as it is, also once a run has carried it out; the rest is recorded."""
    known = asked(world)
    given = [decided(known["bob"], "ghl"), decided(known["a1"], "create")]
    assert answer_all(world.ledger, given[:1], by="ann", at="t").count == 1
    world.run()
    assert answer_all(world.ledger, given, by="bea", at="t").count == 1
    assert asked(world)["bob"].decided_by == "ann"


def test_an_answer_to_what_was_shown_before_is_refused(world: World) -> None:
    """Between the report and its answer somebody edits the record: the person has not seen that value."""
    shown = asked(world)["bob"]
    world.ghl.edit(C, world.links()["bob"], {"company": "C"})
    world.run()
    with pytest.raises(ConfigError, match="since the question was shown"):
        answer_all(world.ledger, [decided(shown, "ghl")], by="ann", at="t")
    assert answers(world) == {}


def test_the_spreadsheet_of_a_report_is_read_back(tmp_path: Path) -> None:
    """`review --from-file` records what a person filled in, and one wrong row names itself and records nothing."""
    folder = tmp_path / "demo"
    pair = load(Acme.settled(folder).pair)
    (report,) = folder.rglob("report.xlsx")
    mine = shutil.copy(report, tmp_path / "mine.xlsx")
    book = openpyxl.load_workbook(mine)
    made = book[DECISIONS]
    column = {head: at for at, head in enumerate(HEADS, start=1)}
    rows = [row for row in range(2, made.max_row + 1) if made.cell(row, column["choices"]).value]
    for row in rows:
        made.cell(row, 1).value = str(made.cell(row, column["choices"]).value).split(", ")[-1]
    made.cell(rows[0], column["values_digest"]).value = "older"
    book.save(mine)

    def read_back() -> Said:
        return say("review", "--from-file", mine, "--by", "ann", "--pair", folder / "acme.toml")

    refused = read_back()
    assert refused.code == 3
    assert (
        f"mine.xlsx, sheet Decisions, row {rows[0]}: a run has looked at this record"
        in refused.errors
    )
    ledger = Ledger(f"sqlite:///{folder}/state/ledger.db", pair.name)
    assert [row for row in ledger.holds() if row.decision] == []
    made.cell(rows[0], 1).value = None
    book.save(mine)
    assert read_back().code == 1
    assert len([row for row in ledger.holds() if row.decision]) == len(rows) - 1 > 0
    ledger.close()


def pair_of(world: World) -> tuple[str, str]:
    """The keys of the one linked contact."""
    ((app_key, ghl_key),) = world.links().items()
    return app_key, ghl_key


def test_an_answer_that_was_carried_out_says_nothing_of_the_same_conflict_later() -> None:
    """Both sides move on, and come to differ in the same way again: that is a new question."""
    with World() as world:
        world.app.put(C, {"email": "bob@x.com", "company": "B"}, key="bob")
        world.run()
        _, there = pair_of(world)

        def differ() -> list[str]:
            world.app.edit(C, "bob", {"company": "X"})
            world.ghl.edit(C, there, {"company": "Y"})
            return [hold.kind for hold in world.run().holds]

        assert differ() == ["conflict"]
        answer(world.ledger, asked(world)["bob"].hold_id, "app", by="ann", at="t")
        assert [o.after for o in world.run().writes] == [{"company": "X"}]
        world.app.edit(C, "bob", {"company": "B"})
        world.run()
        assert differ() == ["conflict"]


@pytest.mark.parametrize("choice", ["delete", "keep", "restore"])
def test_an_answer_about_one_side_is_none_about_the_other(choice: str) -> None:
    """The record that was gone from GHL is back before the answer is carried out; then it is deleted in the app."""
    with World(mapping=mapping_of(contacts(delete=HOLD))) as world:
        for key in ("bob", "cy"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.run()
        there = world.links()["bob"]
        fields = dict(world.ghl.rows(C)[there].fields)
        world.ghl.delete(C, there)
        (hold,) = world.run().holds
        answer(world.ledger, hold.hold_id, choice, by="ann", at="t")
        world.ghl.put(C, fields, key=there)
        world.app.delete(C, "bob")
        result = world.run()
        assert (result.operations, [hold.kind for hold in result.holds]) == ((), ["delete"])


def test_an_answer_that_was_overtaken_is_over() -> None:
    """The record came back by itself, and a run has seen it: when it is lost again, it is asked about again."""
    with World(mapping=mapping_of(contacts(delete=HOLD))) as world:
        for key in ("bob", "cy"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.run()
        there = world.links()["bob"]
        fields = dict(world.ghl.rows(C)[there].fields)
        world.ghl.delete(C, there)
        (hold,) = world.run().holds
        answer(world.ledger, hold.hold_id, "delete", by="ann", at="t")
        world.ghl.put(C, fields, key=there)
        world.run()
        world.run()
        world.ghl.delete(C, there)
        result = world.run()
        assert (result.operations, [hold.kind for hold in result.holds]) == ((), ["delete"])


def test_a_question_that_was_settled_takes_no_answer(world: World) -> None:
    """Its answer was carried out, and stands in the record as it was given; one that only keeps it closed may be replaced."""
    known = asked(world)
    answer(world.ledger, known["bob"].hold_id, "app", by="ann", at="t")
    answer(world.ledger, known["a1"].hold_id, "ignore", by="ann", at="t")
    world.run()
    with pytest.raises(Changed):
        answer(world.ledger, known["bob"].hold_id, "ghl", by="bea", at="t")
    assert asked(world)["bob"].decided_by == "ann"
    answer(world.ledger, known["a1"].hold_id, "create", by="bea", at="t")
