"""What is shown in Prefect is masked before it leaves: its database is no place for people's values."""

from __future__ import annotations

from pathlib import Path

from flows.orchestration.artifacts import LISTED, called, shown, where
from flows.outcome.tell import Told
from reconcile.model import Entity, Side
from tests.builders import World, by_email
from tests.builders_report import change_of, report_of
from tests.flows.nights import night


def test_the_table_of_questions_names_no_tag() -> None:
    """A question about a tag stands in the table without the tag, in its field and in its reason."""
    with World(limits={"flapping": 2}) as world:
        ann = world.app.put(Entity.CONTACT, {"email": "ann@x.com", "tags": ["x"]})
        night(world)
        for side, key in (
            (Side.APP, ann),
            (Side.GHL, by_email(world, Side.GHL, "ann@x.com")),
            (Side.APP, ann),
        ):
            tags = ["x", "hiv positive"] if side is Side.APP else ["x"]
            world.sides[side].edit(Entity.CONTACT, key, {"tags": tags})
            told = night(world)
    questions, failures = shown("p", told.document)
    assert [row["record"] for row in questions.rows] == ["contact a•••@x•••"]
    assert "positive" in repr(told.document["holds"])
    assert "positive" not in repr((questions, failures))


def test_records_are_named_and_nobody_is() -> None:
    """A question and a failure have the record's masked name, what is asked or wrong, and both values masked."""
    whole = report_of(600, holds=2)
    whole["changes"][7] = change_of(
        7, status="rejected", code="INVALID_FIELD", detail="phone is not valid"
    )
    questions, failures = shown("p", whole)
    assert questions.description == "p: 2 questions"
    assert questions.rows[0]["field"] == "company"
    assert questions.rows[0]["the app"] == "F••• t••• a•••"
    assert [row["code"] for row in failures.rows] == ["INVALID_FIELD", "INVALID_FIELD"]
    assert failures.rows[0]["in"] == "GHL"
    said = repr((questions, failures))
    for personal in ("Young", "Zoe", "Abbott", "Guy"):
        assert personal not in said


def test_a_long_table_ends_and_says_so() -> None:
    """Prefect's page shows all rows at once, so a table ends with how many more the report has."""
    whole = report_of(holds=LISTED + 5)
    questions, _ = shown("p", whole)
    assert questions.description == f"p: {LISTED + 5} questions"
    assert len(questions.rows) == LISTED + 1
    assert "and 5 more in the report" in repr(questions.rows[-1])


def test_the_way_to_the_report_is_no_link_that_does_not_open() -> None:
    """A browser opens no file from a server's page: the file and the command are named instead."""
    told = Told(1, "settled", {"run_id": "r1"}, {"html": Path("runs/r1/report.html")})
    text = where(Path("my pairs/acme.toml"), told)
    assert str(Path("runs/r1/report.html").absolute()) in text
    assert "ghl-reconcile report r1 --pair 'my pairs/acme.toml'" in text
    assert "](file:" not in text


def test_a_run_is_called_by_what_it_came_to() -> None:
    """In Prefect's list of runs each says its pair, its job and how many questions wait."""
    assert called("acme", report_of(holds=3)) == "acme nightly: 3 questions wait for a decision"
