"""What `doctor --probe` finds out on a location of either habit, and that it leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.nouns import Tag
from flows.config import Pair, load
from flows.doctor import Probed, probe
from flows.doctor.probe import UNANSWERED, questions
from flows.doctor.trial import Time
from reconcile.errors import ConnectorError, Refused
from tests.docs.test_facts import PAGE

PAIR = """\
pair = "acme"
[app]
url = "sqlite:///app.db"
[app.contact]
table = "people"
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
[contact.fields]
mail = "email"
"""
USUAL = Settings(pit=Limit(max=100_000), lag_seconds=2.0)
OTHER = replace(
    USUAL,
    lag_seconds=500.0,
    lower_case_email=True,
    normalise_tags=False,
    tags_move_updated=False,
    tasks_move_updated=True,
    notes_move_updated=True,
    wraps_bodies=True,
    deleted_tasks_in_search=False,
    tasks_page_max=10_000,
    null_clears=False,
    empty_clears=False,
    notes_list_max=100,
    refuse_shared_updates=False,
    replaces_dnd=False,
    inbound_in_search=True,
    dnd_closes_channels=True,
    companies_late=True,
    unlinks_deleted=True,
    allow_duplicate_opportunities=True,
    keeps_stage_name=True,
    names_gone=False,
    opportunity_cursor=False,
)
"""The other answer to each question."""

ANSWERS = (
    ("search index trail", "found after 0 s|found after 2 s", "not found within 120 s"),
    ("case of an email", "stored as sent", "in lower case"),
    ("Does a tag move", "it moves .*in lower case, trimmed", "does not move .*in another form"),
    ("Does a task move", "does not move .*as sent", "it moves .*other markup"),
    ("Does a note move", "does not move .*as sent", "it moves .*other markup"),
    ("deleted tasks", "yes", "^no$"),
    ("How many tasks", "too few to say more", "too few to say more"),
    ("What clears a field", "^null clears", "^nothing clears"),
    ("custom field, by type", "^null clears decimal, text", "^nothing clears decimal, text"),
    ("In which order", "too few contacts", "too few contacts"),
    ("stop at 100", "no, all came", "yes, 100 came"),
    ("another contact's email", "yes, as a duplicate", "two contacts then have one email"),
    ("list of companies", "there at once", "not there yet"),
    ("clear a company's field", "^yes$", "the value stays"),
    ("deleted company", "keep its id", "no company any more"),
    ("second opportunity", "yes, as a duplicate", "may have several"),
    ("a pipeline alone", "in the first", "of the same name"),
    ("that is gone", "by its id", "without its id"),
    ("say how to go on", "searchAfter", "no row has a cursor"),
    ("channels that it does not send", "what is not sent is lost", "stands for itself"),
    (
        "carry the channels",
        "carries the channels, and does not carry",
        "does not carry the channels",
    ),
    ("while a channel is open", "counts as a no for every channel", "closes the channels"),
)
"""A part of each question, and what is found out in either location."""


class Clock:
    """The sandbox's clock and the probe's, moved by waiting."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class World:
    """A location, and the pair file that leads to it."""

    sandbox: Sandbox
    pair: Pair
    clock: Clock

    def probed(self, *, thorough: bool = False) -> Probed:
        """All that is asked, without a question of whoever calls."""
        time = Time(self.clock.wait, self.clock)
        return probe(self.pair, lambda _: True, time=time, thorough=thorough)

    def made(self) -> list[Any]:
        """What is there that was not when the location was made."""
        box = self.sandbox
        kinds = (box.contacts, box.tasks, box.notes, box.businesses, box.opportunities)
        rows = [row for each in kinds for row in each("loc1")]
        tags = [{"name": each.name} for each in box.state.live(Tag, "loc1")]
        return [
            row
            for row in (*rows, *tags)
            if "Ann" not in str(row) and row.get("name") != "secret tag"
        ]


@contextmanager
def located(folder: Path, settings: Settings) -> Iterator[World]:
    """A location with two pipelines that share a stage, two custom fields, and somebody with a deal."""
    clock = Clock()
    sandbox = Sandbox(settings, clock=clock)
    sandbox.add_location("loc1")
    sandbox.add_token("pit-whole", "loc1")
    sandbox.seed_custom_field("loc1", "Size", "NUMERICAL")
    sandbox.seed_custom_field("loc1", "Nickname of my dog")
    sandbox.seed_pipeline("loc1", "Sales", ["New", "Signed"])
    sandbox.seed_pipeline("loc1", "Care", ["Asked", "New"])
    ann = sandbox.seed_contact("loc1", firstName="Ann", email="ann@x.com", tags=["secret tag"])
    sandbox.seed_opportunity(ann, name="Roof of Ann", pipeline="Sales")
    with serve(sandbox) as url:
        file = folder / "acme.toml"
        file.write_text(PAIR.format(url=url))
        yield World(sandbox, load(file, environ={"GHL_TOKEN": "pit-whole"}), clock)
    sandbox.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with located(tmp_path, USUAL) as made:
        yield made


@pytest.mark.parametrize(("settings", "at"), [(USUAL, 1), (OTHER, 2)], ids=["usual", "other"])
def test_each_answer_is_found_out(settings: Settings, at: int, tmp_path: Path) -> None:
    """Of each question either answer is found on a location that behaves so, and nothing is left behind."""
    with located(tmp_path, settings) as world:
        probed = world.probed(thorough=True)
        assert probed.left == ()
        assert world.made() == []
    asked = {one.question: one.answer for one in probed.answers if one not in UNANSWERED}
    assert len(asked) == len(ANSWERS)
    for row in ANSWERS:
        (answer,) = [found for question, found in asked.items() if row[0] in question]
        assert re.search(row[at], answer), (row[0], answer)


def test_the_sheet_can_be_shared(world: World) -> None:
    """No id, name, value or token of the location stands on the sheet, also where all is refused."""
    box = world.sandbox
    (person,) = [row["id"] for row in box.contacts("loc1")]
    usual = world.probed()
    box.arm(Fault("status", path="/contacts/*", method="PUT", status=422))
    refused = world.probed()
    said = " ".join(str(one) for probed in (usual, refused) for one in probed.answers)
    assert "could not be found out (" in said
    for private in ("loc1", person, "ann@x.com", "secret", "dog", "Sales", "pit-whole", "Probe."):
        assert private not in said


def test_every_unknown_has_its_question() -> None:
    """Where docs/ghl.md says of a heading that something is unknown, the probe asks about it, or says why not."""
    asked = {one.fact for one in (*questions(thorough=True), *UNANSWERED)}
    open_headings: set[str] = set()
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].lower().replace(" ", "-")
        elif line.startswith("| ") and "unknown" in line.split(" | ")[1]:
            open_headings.add(heading)
    assert len(open_headings) > 5
    assert open_headings - asked == set()


@pytest.mark.parametrize("path", ["/contacts/", "/businesses/", "/opportunities/"])
def test_a_lost_answer_leaves_nothing(path: str, world: World) -> None:
    """Where the answer to a create is lost, what it made is looked for by its name and deleted all the same."""
    world.sandbox.arm(Fault("reset_after", method="POST", path=path))
    try:
        assert world.probed().left == ()
    except ConnectorError:
        assert path == "/contacts/"
    assert world.made() == []


def test_what_stays_is_named(world: World) -> None:
    """What cannot be deleted is told apart from the sheet, by the name under which it is found; the rest goes all the same."""
    world.sandbox.arm(Fault("status", method="DELETE", path="/businesses/*", status=403))
    probed = world.probed()
    assert probed.left
    assert all("Reconcile Probe" in each for each in probed.left)
    assert {str(row.get("name"))[:15] for row in world.made()} == {"Reconcile Probe"}


def test_probe_asks_first(world: World) -> None:
    """Without a yes the probe writes nothing; the question names the location."""
    asked: list[str] = []
    with pytest.raises(Refused, match="not confirmed"):
        probe(world.pair, lambda said: bool(asked.append(said)))
    assert "loc1" in asked[0]
    assert list(world.sandbox.log) == []


def test_probe_needs_live(tmp_path: Path) -> None:
    """On a location that may not be written to the probe does not even ask."""
    file = tmp_path / "acme.toml"
    file.write_text(PAIR.format(url="https://services.leadconnectorhq.com"))
    with pytest.raises(Refused, match="does not allow writes"):
        probe(load(file, environ={"GHL_TOKEN": "pit-whole"}), lambda _: True)
