"""Appointments in whole runs and audits against a served sandbox: shown within a budget, known until read again, never written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl import agendas
from connectors.ghl.api import Api
from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings, serve
from flows.config import load
from flows.doctor import Finding, Level, check
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import carry_out
from reconcile.entities import Shown
from tests.flows.acme import JOBS
from tests.schemas import valid

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
lag_seconds = 0
attempts = 1
concurrency = 1
appointments_budget = {budget}
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
name = "firstName"
"""
LIST = "/contacts/{contactId}/appointments"


@dataclass
class World:
    """People on both sides, in agreement; `keys` are the contacts' in the order of their keys."""

    folder: Path
    sandbox: Sandbox
    url: str
    keys: list[str]
    order: list[str] = field(default_factory=list)

    def run(self, budget: int, job: str = "nightly", **options: Any) -> Told:
        """One run with that budget."""
        with open_run(load(self.pair(budget)), Options(job, **options)) as run:
            return carry_out(run, JOBS[job])

    def shown(self, budget: int, job: str = "nightly", **options: Any) -> dict[str, Any]:
        """What the report of a run shows of appointments."""
        shown: dict[str, Any] = self.run(budget, job, **options).document["appointments"]
        return shown

    def pair(self, budget: int) -> Path:
        """The pair file with that budget."""
        path = self.folder / "acme.toml"
        path.write_text(PAIR.format(url=self.url, budget=budget), encoding="utf-8")
        return path

    def book(self, place: int, days: int, **fields: Any) -> str:
        """An appointment of one of the contacts, so many days from now."""
        at = datetime.now(UTC).replace(hour=12, minute=0) + timedelta(days=days)
        return self.sandbox.seed_appointment(
            self.keys[place], startTime=at.isoformat(), title="Visit", **fields
        )

    def fail(self, place: int, status: int = 500) -> None:
        """Let the appointments of one contact be unreadable."""
        path = f"/contacts/{self.keys[place]}/appointments"
        self.sandbox.arm(Fault("status", "GET", path, status=status, message="not for you"))

    def requests(self) -> list[str]:
        """The contacts whose appointments were asked for so far, in order."""
        return self.order


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """See World."""
    monkeypatch.setenv("GHL_TOKEN", "pit-some")
    names = ("ann", "bob", "cyd", "dee")
    with sqlite3.connect(tmp_path / "app.db") as base:
        base.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, name TEXT)")
        people = [(f"{name}@example.com", name) for name in names]
        base.executemany("INSERT INTO people (mail, name) VALUES (?, ?)", people)
    base.close()
    sandbox = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0, seed=7))
    sandbox.add_location("loc1", timezone="America/Chicago")
    sandbox.add_token("pit-some", "loc1")
    keys = [
        sandbox.seed_contact("loc1", email=f"{name}@example.com", firstName=name) for name in names
    ]
    with serve(sandbox) as url:
        world = World(tmp_path, sandbox, url, sorted(keys))
        monkeypatch.setattr(agendas, "of_contact", _noting(world.order))
        yield world
    sandbox.close()


def _noting(order: list[str]) -> Callable[[Api, Shown, str], list[dict[str, Any]]]:
    """The connector's own request, with a note of whom it is about: the sandbox's log has no keys."""
    read = agendas.of_contact

    def reading(api: Api, kind: Shown, contact: str) -> list[dict[str, Any]]:
        order.append(contact)
        return read(api, kind, contact)

    return reading


@pytest.mark.parametrize("job", ["nightly", "audit"])
def test_p5_a_run_and_an_audit_show_appointments(world: World, job: str) -> None:
    """Counts, the next and the last in the location's time, and a sentence for the terminal; the document keeps its form."""
    for days, status in ((-30, "showed"), (-2, "noshow"), (5, "confirmed"), (9, "cancelled")):
        world.book(0, days, appointmentStatus=status)
    world.book(1, 3)
    told = world.run(10, job)
    shown = told.document["appointments"]
    assert (shown["tried"], shown["failed"], shown["known_contacts"]) == (4, 0, 4)
    assert (shown["total"], shown["upcoming"], shown["past"], shown["unreadable"]) == (5, 3, 2, 0)
    assert shown["by_status"] == {"confirmed": 2, "cancelled": 1, "noshow": 1, "showed": 1}
    assert [row["contact"] for row in shown["next"]] == [world.keys[1], world.keys[0]]
    assert shown["next"][0]["last"] is None
    assert shown["next"][1]["last"] == shown["last"][0]["local"]
    assert [row["status"] for row in shown["last"]] == ["noshow"]
    assert shown["timezone"] == "America/Chicago"
    assert {row["local"][11:16] for row in shown["next"]} <= {"06:00", "07:00"}
    assert {row["label"] for row in shown["next"]} <= {"ann", "bob", "cyd", "dee"}
    assert shown["brief"] == "Appointments of 4 contacts: 3 to come, 2 past."
    written = json.loads(told.paths["json"].read_text(encoding="utf-8"))
    assert written["appointments"] == shown
    valid(written)
    html = told.paths["html"].read_text(encoding="utf-8")
    assert "Appointments in GHL" in html
    assert "The next, in the time of America/Chicago" in html
    assert "## Appointments" in told.paths["md"].read_text(encoding="utf-8")
    assert not [record for record in world.sandbox.log if record.method in ("PUT", "DELETE")]


def test_without_a_budget_nothing_is_asked_and_the_report_says_so(world: World) -> None:
    """The default: no request, no line in the terminal, a sentence in the report."""
    world.book(0, 1)
    told = world.run(0)
    shown = told.document["appointments"]
    assert world.requests() == []
    assert shown["sentences"] == [
        "Appointments were not read: appointments_budget under [ghl] is 0."
    ]
    assert shown["brief"] == ""
    assert "Appointments were not read" in told.paths["html"].read_text(encoding="utf-8")


def test_the_budget_goes_round_over_the_nights(world: World) -> None:
    """Two contacts of four a night: never asked first, then longest ago; what was seen stays, with its age."""
    world.book(3, 4)
    first = world.shown(2)
    assert world.requests() == world.keys[:2]
    assert (first["known_contacts"], first["location_contacts"], first["total"]) == (2, 4, 0)
    second = world.shown(2)
    assert world.requests() == world.keys
    assert (second["known_contacts"], second["total"], second["as_of"]) == (4, 1, first["as_of"])
    world.book(3, 6)
    third = world.shown(2, "audit")
    assert world.requests()[4:] == world.keys[:2]
    assert third["total"] == 1
    assert third["next"][0]["as_of"] == second["next"][0]["as_of"]
    assert world.shown(2)["total"] == 2
    rest = world.shown(0)
    assert rest["total"] == 2
    assert rest["sentences"][0].startswith("Appointments were not read")


def test_a_plan_shows_what_is_known_and_asks_nobody(world: World) -> None:
    """A plan may be made many times a day."""
    world.book(0, 1)
    world.run(4)
    asked = len(world.requests())
    assert world.shown(4, "plan")["total"] == 1
    assert len(world.requests()) == asked


@pytest.mark.parametrize("status", [500, 403])
def test_one_contact_that_fails_stops_no_other_and_is_counted(world: World, status: int) -> None:
    """It is named with the reason; what was seen of it before stays; it takes no other's turn."""
    for place in range(4):
        world.book(place, 1 + place)
    world.run(4)
    world.fail(1, status)
    told = world.run(4)
    shown = told.document["appointments"]
    assert told.exit_code == 0
    assert (shown["tried"], shown["failed"], shown["unread_contacts"]) == (4, 1, 1)
    assert (shown["total"], shown["known_contacts"], shown["stopped"]) == (4, 4, "")
    (unread,) = shown["unread"]
    assert unread["contact"] == world.keys[1]
    assert unread["as_of"] == shown["as_of"]
    assert unread["because"] in told.paths["html"].read_text(encoding="utf-8")
    world.run(1)
    world.run(1)
    assert world.requests()[-2:] == world.keys[:2]


def test_refused_credentials_mean_what_they_mean_elsewhere(world: World) -> None:
    """401 for everybody stops the run with its reason, and its exit code is that of a failure; what was settled stays."""
    every = Fault(
        "status", "GET", LIST, status=401, message="Invalid token: access token is invalid"
    )
    world.sandbox.arm(every)
    told = world.run(4)
    assert (told.state, told.exit_code) == ("stopped", 2)
    assert "appointments could not be read" in told.document["stopped"]
    world.sandbox.faults.clear()
    assert world.run(4).exit_code == 0


def test_a_side_that_fails_there_ends_no_night(world: World) -> None:
    """Where none can be read, the report says why it stopped, and the records agree all the same."""
    world.sandbox.arm(Fault("cdn_block", "GET", LIST))
    told = world.run(4)
    assert (told.state, told.exit_code) == ("settled", 0)
    assert "gateway" in told.document["appointments"]["stopped"]
    assert any("stopped early" in said for said in told.document["appointments"]["sentences"])


def test_the_days_reserve_is_left_alone(world: World) -> None:
    """Appointments come after all writes, and stop where the share of others begins."""
    world.run(0)
    before = len(world.sandbox.log)
    world.run(0)
    quiet = len(world.sandbox.log) - before
    reserve = 20_000
    world.sandbox.spend("loc1", 200_000 - reserve - len(world.sandbox.log) - quiet - 2)
    told = world.run(4)
    assert (told.state, told.exit_code) == ("settled", 0)
    shown = told.document["appointments"]
    assert 0 < shown["tried"] < 4
    assert "reserve" in shown["stopped"]


def test_a_time_that_cannot_be_read_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is among all, by status too, and neither to come nor past."""
    from connectors.ghl.sandbox import calendars

    world.book(0, 1)
    monkeypatch.setattr(calendars, "local", lambda _ms, _zone: "next Tuesday")
    told = world.run(4)
    shown = told.document["appointments"]
    assert (shown["total"], shown["unreadable"], shown["upcoming"], shown["past"]) == (1, 1, 0, 0)
    assert shown["by_status"] == {"confirmed": 1}
    assert "The time of 1 appointment cannot be read." in shown["sentences"]
    assert "cannot be read" in told.paths["html"].read_text(encoding="utf-8")


def test_of_a_contact_that_is_gone_nothing_stays(world: World) -> None:
    """Deleted in GHL, it is not among those that are known."""
    world.book(0, 1)
    assert world.shown(4)["known_contacts"] == 4
    world.sandbox.delete_contact(world.keys[0])
    shown = world.shown(4)
    assert (shown["known_contacts"], shown["total"]) == (3, 0)


def said(findings: list[Finding], words: str) -> Finding:
    """The one finding with these words."""
    (found,) = [finding for finding in findings if words in finding.what]
    return found


def test_the_doctor_names_the_scope_where_they_are_read(world: World) -> None:
    """With a budget it tries one contact; a refusal names the scope; without, it does not ask."""
    found = check(load(world.pair(2)), server=list)
    hit = said(found, "appointments can be read")
    assert (hit.level, "contacts.readonly" in hit.what) == (Level.OK, True)
    said(found, "one full read needs about 7 requests")
    refusal = "The token is not authorized for this scope."
    world.sandbox.arm(Fault("status", "GET", LIST, status=401, message=refusal))
    hit = said(check(load(world.pair(2)), server=list), "by which appointments are read")
    assert (hit.level, "contacts.readonly" in hit.what) == (Level.ERROR, True)
    count = len(world.sandbox.log)
    check(load(world.pair(0)), server=list)
    later = list(world.sandbox.log)[count:]
    assert LIST not in {record.path for record in later}
