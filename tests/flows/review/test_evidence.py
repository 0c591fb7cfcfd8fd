"""Beside a question stands what changed the value last, what stood there before, and the way to the record on each side."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.config import load
from flows.config.pair import read
from flows.demo.compare import agreed
from flows.demo.seen import opened
from flows.demo.tables import PEOPLE
from flows.outcome.links import Links, links_of
from flows.review.questions import Evidence, Question, Shown, questions
from flows.review.tracing import traces
from flows.state.stores import runs_folder
from reconcile.errors import ConfigError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from tests.flows.acme import Acme
from tests.flows.calls import say
from tests.flows.review.conflicts import APP, GHL, move_house

APP_LINK = "https://crm.example.com/people/{key}"
GHL_LINK = "https://app.example.com/v2/location/L/contacts/detail/{key}"
BEFORE = "Recife"


def with_links(text: str, app: str = APP_LINK, ghl: str = GHL_LINK) -> str:
    """A pair file with the addresses of records in it."""
    text = text.replace("\n[app.contact]", f'\nlink = "{app}"\n\n[app.contact]', 1)
    return text.replace('url = "sandbox:', f'link = "{ghl}"\nurl = "sandbox:', 1)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """People whom the app moved to one city, which a run carried to GHL; then both sides moved them elsewhere."""
    acme = Acme.settled(tmp_path_factory.mktemp("evidence") / "acme")
    acme.pair.write_text(with_links(acme.pair.read_text(encoding="utf-8")), encoding="utf-8")
    with opened(acme.folder, acme.pair, None) as ends:
        keys = [int(app.key) for app, _ in agreed(ends)[:3]]
        with ends.engine.begin() as connection:
            moved = sa.update(PEOPLE).where(PEOPLE.c.id.in_(keys))
            connection.execute(moved.values(city=BEFORE))
    acme.run(verify="none")
    move_house(acme, 3)
    acme.run(verify="none")
    return acme


@pytest.fixture
def ledger(acme: Acme) -> Iterator[Ledger]:
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    yield ledger
    ledger.close()


def the_question(acme: Acme, ledger: Ledger) -> Question:
    evidence = Evidence(runs_folder(load(acme.pair)))
    asked = questions(ledger, evidence, now="2027-01-05T12:00:00.000Z")
    return next(each for each in asked if each.values.get("app") == APP)


def test_each_side_tells_its_last_values_and_what_changed_them(acme: Acme, ledger: Ledger) -> None:
    """The present value, that of the last agreement, and the one before our own write, newest first, each with its source."""
    question = the_question(acme, ledger)
    app, ghl = traces(ledger, question)
    assert [known.value for known in app.values][:2] == [APP, BEFORE]
    assert [known.value for known in ghl.values][:2] == [GHL, BEFORE]
    assert len(ghl.values) == 3
    assert ghl.values[2].source.startswith("before run ")
    for trace in (app, ghl):
        assert f"in {trace.side.label}, not by this job" in trace.changed
        assert "the record was last changed 20" in trace.changed


def test_our_own_write_is_named_as_what_changed_a_value(acme: Acme, ledger: Ledger) -> None:
    """Where what a side holds is what a run wrote, that run is what changed it last."""
    question = the_question(acme, ledger)
    values = {**question.values, "ghl": BEFORE}
    _, ghl = traces(ledger, dataclasses.replace(question, values=values))
    assert ghl.changed.startswith("by this job: run ")


def test_a_question_about_no_value_has_no_trace(acme: Acme, ledger: Ledger) -> None:
    """Which record is which has no last value on either side."""
    evidence = Evidence(runs_folder(load(acme.pair)))
    asked = questions(ledger, evidence, now="2027-01-05T12:00:00.000Z")
    assert [traces(ledger, each) for each in asked if each.field is None][:1] == [()]


def test_the_command_tells_evidence_and_pages(acme: Acme, ledger: Ledger) -> None:
    """`review ID` says both in words, and as JSON."""
    question = the_question(acme, ledger)
    told = say("review", question.hold_id, "--pair", acme.pair)
    assert "changed last" in told.out
    assert APP_LINK.replace("{key}", question.app_key or "") in told.out
    document: dict[str, Any] = say(
        "review", question.hold_id, "--pair", acme.pair, "--json"
    ).document
    assert document["evidence"]["ghl"]["values"][0] == {"value": GHL, "source": "now"}
    assert [page["page"] for page in document["pages"]] == [
        APP_LINK.replace("{key}", question.app_key or ""),
        GHL_LINK.replace("{key}", question.ghl_key or ""),
    ]


def test_a_key_is_written_so_that_it_stays_in_its_place() -> None:
    """What a key holds cannot lead elsewhere; a record that is gone has no page, a task its contact's."""
    links = Links(APP_LINK, None)
    odd = Shown(Side.APP, "../a?b=c#d", "Ann", {"city": "Rome"})
    assert links.to("contact", odd) == "https://crm.example.com/people/..%2Fa%3Fb%3Dc%23d"
    assert links.to("contact", Shown(Side.APP, "1", "Ann", {})) is None
    assert links.to("task", Shown(Side.APP, "t", "Call", {}, None, "7")) == (
        "https://crm.example.com/people/7"
    )
    assert links.to("contact", Shown(Side.GHL, "g", "Ann", {"city": "Rome"})) is None


def test_ghls_own_page_is_known_without_a_setting(acme: Acme) -> None:
    """A real location's contacts have their page in GHL; those of a look-alike have none."""
    text = acme.pair.read_text(encoding="utf-8").replace(f'link = "{GHL_LINK}"\n', "")
    assert links_of(read(text, acme.pair, environ={})).ghl is None
    real = text.replace('url = "sandbox:ghl-sandbox.db"', 'token = "env:TOKEN"')
    page = links_of(read(real, acme.pair, environ={"TOKEN": "pit-1"})).ghl
    assert page is not None
    assert page.startswith("https://app.gohighlevel.com/v2/location/")
    assert page.endswith("/contacts/detail/{key}")


@pytest.mark.parametrize(
    "link", ["crm.example.com/{key}", "https://crm.example.com/people", "javascript:{key}"]
)
def test_an_address_without_a_key_is_refused(acme: Acme, link: str, tmp_path: Path) -> None:
    """The pair file's problem says how one looks; and a right one changes no plan."""
    text = acme.pair.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="people/\\{key\\}"):
        read(text.replace(APP_LINK, link), acme.pair, environ={})
    other = read(text.replace(APP_LINK, "http://x/{key}"), acme.pair, environ={})
    assert other.config_digest == load(acme.pair).config_digest
