"""Appointments of GHL in a table of the app, night by night: made, moved, taken away, and never written in GHL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings, serve
from flows.config import Pair, load
from flows.config.pair import read
from flows.jobs.delta import Delta
from flows.jobs.full import FULL
from flows.jobs.undo import Undo
from flows.outcome.tell import Told
from flows.runner import run_job
from flows.scope import Sought
from reconcile.errors import ConfigError

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "sqlite:///{folder}/app.db"
[app.contact]
table = "people"
[app.appointment]
table = "visits"
parent = "person"
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
lag_seconds = 0
attempts = 1
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
[appointment]
absent_runs = 1
delete = {{ app = "mirror" }}
[appointment.fields]
what = "title"
state = "status"
starts = {{ ghl = "startTime", timezone = "Europe/Berlin" }}
calendar = "calendar"
host = {{ ghl = "assignedTo", by = "email" }}
"""
TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT);
INSERT INTO people VALUES (1, 'ann@x.com'), (2, 'bob@x.com');
CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER, what TEXT, state TEXT, starts TEXT,
    calendar TEXT, host TEXT);
"""
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def day(days: int) -> str:
    """Noon so many days from now."""
    return (NOW + timedelta(days=days)).isoformat()


@dataclass(frozen=True, slots=True)
class Surgery:
    """The app's file, the location in Berlin, and the pair between them."""

    folder: Path
    box: Sandbox
    pair: Pair
    contacts: dict[str, str]

    def app(self, statement: str = "SELECT person, what, state, calendar, host FROM visits") -> Any:
        """What a statement gives, by default the visits."""
        with sqlite3.connect(self.folder / "app.db") as app:
            found = set(app.execute(statement).fetchall())
        app.close()
        return found

    def night(self) -> Told:
        """One nightly run."""
        return run_job(self.pair, FULL)

    def asked(self) -> list[tuple[str, str]]:
        """What was asked of calendars and appointments, in order."""
        paths = [(one.method, one.path) for one in self.box.log]
        return [one for one in paths if "calendars" in one[1] or "appointments" in one[1]]


@pytest.fixture
def surgery(tmp_path: Path) -> Iterator[Surgery]:
    """Two people whom both sides know, two calendars, and a visit of each."""
    with sqlite3.connect(tmp_path / "app.db") as app:
        app.executescript(TABLES)
    app.close()
    box = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0, timezone="Europe/Berlin"))
    box.add_location("loc1")
    box.add_token("pit-whole", "loc1")
    sue = box.seed_user("loc1", email="sue@acme.com")
    first, second = box.seed_calendar("loc1", "Visits"), box.seed_calendar("loc1", "Calls")
    contacts = {name: box.seed_contact("loc1", email=f"{name}@x.com") for name in ("ann", "bob")}
    box.seed_appointment(
        contacts["ann"], id="a1", title="Teeth", startTime=day(3), calendarId=first
    )
    box.seed_appointment(
        contacts["bob"],
        id="b1",
        title="Bill",
        startTime=day(9),
        calendarId=second,
        assignedUserId=sue,
    )
    with serve(box) as url:
        file = tmp_path / "acme.toml"
        file.write_text(PAIR.format(folder=tmp_path, url=url))
        pair = load(file, environ={"GHL_TOKEN": "pit-whole"})
        yield Surgery(tmp_path, box, pair, contacts)
    box.close()


TEETH = (1, "Teeth", "confirmed", "Visits", None)
BILL = (2, "Bill", "confirmed", "Calls", "sue@acme.com")


def test_p5_appointments_travel_into_the_app_and_never_back(surgery: Surgery) -> None:
    """Made, moved, cancelled and taken away in GHL, each shows in the app's table the next night."""
    assert surgery.night().exit_code == 0
    assert surgery.app() == {TEETH, BILL}
    assert surgery.asked()[:3] == [("GET", "/calendars/"), *[("GET", "/calendars/events")] * 2]

    surgery.box.edit_appointment("a1", appointmentStatus="cancelled", startTime=day(4))
    surgery.app("UPDATE visits SET state = 'mine' WHERE what = 'Bill'")
    told = surgery.night()
    assert told.exit_code == 0
    assert surgery.app() == {(1, "Teeth", "cancelled", "Visits", None), BILL}
    (starts,) = surgery.app("SELECT starts FROM visits WHERE what = 'Teeth'")
    berlin = (NOW + timedelta(days=4)).astimezone(ZoneInfo("Europe/Berlin"))
    assert starts[0].startswith(f"{berlin:%Y-%m-%d}")

    run_job(surgery.pair, Undo(of=told.document["run_id"]))
    assert surgery.app() == {TEETH, (*BILL[:2], "mine", *BILL[3:])}, "as it was before that run"

    surgery.box.delete_appointment("b1")
    assert surgery.night().exit_code == 0
    assert surgery.app() == {TEETH}, "what was taken back is not carried again by itself"
    assert {method for method, _ in surgery.asked()} == {"GET"}
    assert surgery.night().document["verdict"]["code"] == "agreed"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("[appointment]", '[appointment]\ncreate = "both"'),
        ('app = "mirror"', 'app = "mirror", ghl = "mirror"'),
        ('what = "title"', 'what = { ghl = "title", flow = "both" }'),
        ('what = "title"', 'kind = { ghl = "title", constant = "Visit" }'),
    ],
)
def test_a_pair_file_cannot_let_appointments_be_written_in_ghl(line: str, instead: str) -> None:
    """Whatever would create, change or delete one there is refused with its place."""
    text = PAIR.format(folder="/nowhere", url="http://127.0.0.1:1").replace(line, instead)
    with pytest.raises(ConfigError) as refused:
        read(text, Path("acme.toml"), environ={"GHL_TOKEN": "pit-whole"})
    assert "[appointment" in str(refused.value)


def test_what_stands_outside_the_days_that_are_read_rests(surgery: Surgery) -> None:
    """What is past stays in the app and keeps nobody from agreeing; what moves back in is carried."""
    box = surgery.box
    box.edit_appointment("a1", startTime=day(-29))
    assert surgery.night().exit_code == 0
    box.edit_appointment("a1", startTime=day(-40), title="Old")
    moved = surgery.night()
    assert moved.exit_code == 0
    assert {row[1] for row in surgery.app()} == {"Old", "Bill"}, "read by its id, it was there"
    box.edit_appointment("a1", title="Older")
    rests = surgery.night()
    assert rests.document["verdict"]["code"] == "agreed"
    assert {row[1] for row in surgery.app()} == {"Old", "Bill"}
    ann = Delta(sought=Sought(ghl=(surgery.contacts["ann"],)))
    assert run_job(surgery.pair, ann).document["verdict"]["code"] == "agreed"
    box.edit_appointment("a1", startTime=day(5))
    assert run_job(surgery.pair, ann).exit_code == 0
    assert {row[1] for row in surgery.app()} == {"Older", "Bill"}


def test_absence_is_concluded_of_calendars_that_were_read_alone(surgery: Surgery) -> None:
    """Where one calendar cannot be read, nothing is taken away; the next whole night does it."""
    surgery.night()
    surgery.box.delete_appointment("b1")
    surgery.box.arm(Fault("status", path="/calendars/events", status=503, after=1))
    assert surgery.night().exit_code == 2
    assert surgery.app() == {TEETH, BILL}
    surgery.box.faults.clear()
    surgery.night()
    assert surgery.app() == {TEETH}


def test_an_appointment_that_is_gone_is_not_offered_to_be_made_again(surgery: Surgery) -> None:
    """Asked about, it may go from the app too, or stay there; in GHL none is ever made."""
    file = surgery.folder / "acme.toml"
    asks = file.read_text().replace('app = "mirror"', 'app = "hold"')
    file.write_text(asks)
    pair = load(file, environ={"GHL_TOKEN": "pit-whole"})
    run_job(pair, FULL)
    surgery.box.delete_appointment("b1")
    (hold,) = run_job(pair, FULL).document["holds"]
    assert [option["choice"] for option in hold["options"]] == ["delete", "keep"]
