"""What the doctor finds, and that it leaves no trace."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import ALL_SCOPES, Limit, Sandbox, Settings, serve
from flows.config import Pair, load
from flows.doctor import Finding, Level, check, worst
from flows.doctor.finding import ok
from flows.doctor.fit import fit
from flows.doctor.location import estimate
from flows.doctor.machine import prefect_server, versions
from flows.doctor.token import token
from flows.wiring.wiring import connect_ghl
from reconcile.model import Entity, Side
from reconcile.ports import Description, FieldInfo

PAIR = """\
pair = "acme"
[app]
url = "sqlite:///app.db"
[app.contact]
table = "people"
modified_at = "updated_at"
[app.task]
table = "todos"
parent = "person_id"
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
[contact.fields]
mail = "email"
phone = "phone"
[task.fields]
what = "title"
due = "dueDate"
"""


def _known() -> dict[Entity, Mapping[str, FieldInfo]]:
    """GHL's standard fields."""
    return {entity: kind.info for entity, kind in GHL.items()}


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
    folder: Path
    sandbox: Sandbox
    url: str
    clock: Clock

    def pair(self, text: str = PAIR, token: str = "pit-whole") -> Pair:
        file = self.folder / "acme.toml"
        file.write_text(text.replace("{url}", self.url))
        return load(file, environ={"GHL_TOKEN": token})

    def check(self, pair: Pair) -> list[Finding]:
        return check(pair, server=lambda: [ok("not started in this test")])


@contextmanager
def _world(tmp_path: Path, limit: Limit) -> Iterator[World]:
    with sqlite3.connect(tmp_path / "app.db") as app:
        app.execute(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, phone TEXT, updated_at TEXT)"
        )
        app.execute(
            "CREATE TABLE todos (id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, due TEXT)"
        )
    app.close()
    clock = Clock()
    sandbox = Sandbox(Settings(pit=limit), clock=clock)
    sandbox.add_location("loc1")
    sandbox.add_token("pit-whole", "loc1")
    with serve(sandbox) as url:
        yield World(tmp_path, sandbox, url, clock)
    sandbox.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with _world(tmp_path, Limit(max=10_000)) as made:
        yield made


def _said(findings: list[Finding], words: str) -> Finding:
    hits = [finding for finding in findings if words in finding.what]
    assert len(hits) == 1, f"{words!r} in {len(hits)} of:\n" + "\n".join(map(str, findings))
    return hits[0]


def test_all_is_well(world: World) -> None:
    """On a pair that works nothing is wrong, and everything that was looked at is said."""
    found = world.check(world.pair())
    assert worst(found) is Level.OK, "\n".join(map(str, found))
    for words in (
        "the scope contacts.readonly",
        "the app answers",
        "GHL answers",
        "fields fit",
        "no ledger yet",
        "GB are free",
    ):
        _said(found, words)


def test_it_leaves_no_trace(world: World) -> None:
    """The doctor writes nothing: not to the app, not to GHL, and it makes neither store nor ledger."""
    pair = world.pair()
    files = {path: path.read_bytes() for path in world.folder.iterdir()}
    world.check(pair)
    assert {path: path.read_bytes() for path in world.folder.iterdir()} == files
    writing = [one for one in world.sandbox.log if one.method in ("PUT", "DELETE")]
    assert writing == []
    assert world.sandbox.contacts("loc1") == []


def test_token_refused(world: World) -> None:
    """A token that GHL does not know is an error with a remedy, and the app is still looked at."""
    found = world.check(world.pair(token="pit-unknown"))
    assert worst(found) is Level.ERROR
    assert any("[EXPIRED]" in one.what and "rotate" in one.remedy for one in found)
    _said(found, "the app answers")


def test_scope_missing(world: World) -> None:
    """Each missing scope is named, once."""
    scopes = [
        scope for scope in ALL_SCOPES if scope not in ("locations/tasks.readonly", "users.readonly")
    ]
    world.sandbox.add_token("pit-less", "loc1", scopes=scopes)
    found = world.check(world.pair(token="pit-less"))
    assert _said(found, "lacks the scope locations/tasks.readonly").level is Level.ERROR
    assert _said(found, "lacks the scope users.readonly").level is Level.WARNING


def test_column_missing(world: World) -> None:
    """A mapped column that the table does not have is an error that names it."""
    found = world.check(world.pair(PAIR.replace('mail = "email"', 'mial = "email"')))
    hit = [one for one in found if "mial" in one.what]
    assert hit
    assert hit[0].level is Level.ERROR
    assert "mail" in hit[0].remedy


@pytest.mark.parametrize(
    ("says", "told", "level"),
    [("allowed", "30 of 40", Level.WARNING), ("denied", "10 of 40", Level.OK)],
)
def test_a_consent_that_looks_turned_round_is_told(
    world: World, says: str, told: str, level: Level
) -> None:
    """Each consent is named with the share of those who say no, and the channels that are not mapped; a majority is a warning."""
    with sqlite3.connect(world.folder / "app.db") as app:
        app.execute("ALTER TABLE people ADD sms BOOLEAN")
        rows = [(f"p{number}@x.com", number < 10) for number in range(40)]
        app.executemany("INSERT INTO people (mail, sms) VALUES (?, ?)", rows)
    app.close()
    line = f'sms = {{ ghl = "dnd.sms", true_says = "{says}" }}'
    found = world.check(world.pair(PAIR.replace('phone = "phone"', line)))
    hit = _said(found, f'sms: GHL\'s "dnd.sms"; {told} say no in the app')
    assert hit.level is level
    assert "dnd.call, dnd.email" in _said(found, "no consent is mapped to").what


def test_words_of_a_consent_that_the_pair_file_does_not_know_are_told(world: World) -> None:
    """A third word might be a no: it is named with how many say it, and not left out of the count."""
    with sqlite3.connect(world.folder / "app.db") as app:
        app.execute("ALTER TABLE people ADD sms TEXT")
        rows = [(f"p{number}@x.com", "yes" if number < 10 else "unasked") for number in range(40)]
        app.executemany("INSERT INTO people (mail, sms) VALUES (?, ?)", rows)
    app.close()
    line = 'sms = {{ ghl = "dnd.sms", choices = {{ yes = "allowed", no = "denied"{} }} }}'
    found = world.check(world.pair(PAIR.replace('phone = "phone"', line.format(""))))
    hit = _said(found, 'sms: GHL\'s "dnd.sms"; 30 in the app say "unasked"')
    assert hit.level is Level.WARNING
    assert '""' in hit.remedy
    told = world.check(world.pair(PAIR.replace('phone = "phone"', line.format(', unasked = ""'))))
    assert _said(told, 'sms: GHL\'s "dnd.sms"; 0 of 10 say no in the app').level is Level.OK


def test_an_app_that_takes_no_writes_is_told(world: World) -> None:
    """A database file that may not be written is a warning: a plan that writes to it would be refused."""
    (world.folder / "app.db").chmod(0o444)
    found = _said(world.check(world.pair()), "takes no writes")
    assert found.level is Level.WARNING
    assert "DB_READ_ONLY" in found.what


def test_tasks_that_ghl_would_refuse_are_counted(world: World) -> None:
    """Whoever has tasks without a due date learns before the first run how many, and what to do; a fallback settles it."""
    rows = [
        (at, 1, "Call" if at else None, "2026-02-01T09:00:00Z" if at % 3 else None)
        for at in range(10)
    ]
    with sqlite3.connect(world.folder / "app.db") as app:
        app.executemany("INSERT INTO todos VALUES (?, ?, ?, ?)", rows)
    app.close()
    found = world.check(world.pair())
    hit = _said(found, "due: 4 of 10 tasks in the app lack a value")
    assert hit.level is Level.WARNING
    assert "[REQUIRED]" in hit.what
    assert 'due = { ghl = "dueDate", fallback = "…" }' in hit.remedy
    assert "review --all --kind required --entity task --take ignore" in hit.remedy
    _said(found, "what: 1 of 10 tasks in the app lacks a value")
    text = PAIR.replace(
        'due = "dueDate"', 'due = { ghl = "dueDate", fallback = "2026-03-01T09:00:00Z" }'
    )
    _said(
        world.check(world.pair(text)), "task: due, which GHL requires of a new one, is always there"
    )


def test_duplicates_allowed(world: World) -> None:
    """A location that allows duplicates is a warning: matches may be ambiguous there."""
    world.sandbox.add_location("loc1", allow_duplicates=True)
    assert _said(world.check(world.pair()), "allows duplicate contacts").level is Level.WARNING


def test_clock_skew(world: World) -> None:
    """A clock that is off by more than a minute is a warning."""
    found = check(world.pair(), server=list, now=lambda: datetime.now(UTC) + timedelta(minutes=10))
    hit = _said(found, "ahead of GHL's")
    assert hit.level is Level.WARNING
    assert "NTP" in hit.remedy


def test_quota_too_small(tmp_path: Path) -> None:
    """Where a full read does not fit into what remains of the day, the doctor says so before the job does."""
    text = (
        PAIR.replace("[ghl]", '[app.note]\ntable = "todos"\nparent = "person_id"\n[ghl]')
        + '[note.fields]\nwhat = "body"\n'
    )
    with _world(tmp_path, Limit(max=10_000, daily=40)) as world:
        for number in range(30):
            world.sandbox.seed_contact("loc1", email=f"c{number}@example.com")
        hit = _said(world.check(world.pair(text)), "one full read needs about 35 requests")
    assert hit.level is Level.WARNING
    assert "notes_budget" in hit.remedy


def test_not_live(world: World) -> None:
    """A pair that may not write yet is told how to allow it, as a warning."""
    from flows.doctor.check import _live

    pair = world.pair(PAIR.replace("{url}", "https://services.leadconnectorhq.com"))
    (hit,) = _live(pair)
    assert hit.level is Level.WARNING
    assert "live = true" in hit.remedy


def test_versions() -> None:
    """A package outside its range is an error with the reason; what is installed here is inside."""
    assert worst(versions()) is Level.OK
    found = {"prefect": "3.9.1", "fastapi": "0.165.0", "sqlalchemy": "2.1.0b1", "duckdb": None}
    (prefect, fastapi, sqlalchemy, duckdb) = versions(found.get)
    assert prefect.level is Level.OK
    assert "keep Prefect's server from starting" in fastapi.what
    assert "never creates a scheduled run" in sqlalchemy.what
    assert "not installed" in duckdb.what


@pytest.mark.parametrize(
    ("module", "level"),
    [(ModuleType("server"), Level.OK), (None, Level.ERROR)],
    ids=["sound", "broken"],
)
def test_prefect_server_is_tried(
    module: ModuleType | None, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps Prefect's server from being imported is found before the first run finds it."""
    monkeypatch.setitem(sys.modules, "prefect.server.api.server", module)
    (found,) = prefect_server()
    assert found.level is level


def test_ledger_out_of_reach(world: World) -> None:
    """A ledger that does not answer is an error, without its URL."""
    found = world.check(
        world.pair('ledger = "postgresql+psycopg://me:hunter2@127.0.0.1:1/x"\n' + PAIR)
    )
    hit = _said(found, "the ledger cannot be reached")
    assert hit.level is Level.ERROR
    assert "hunter2" not in str(found)


def _fit(world: World, lines: str, **app: FieldInfo) -> list[Finding]:
    pair = world.pair(PAIR.replace('phone = "phone"', lines))
    custom = {
        "contact.size": FieldInfo("decimal"),
        "contact.kind": FieldInfo("choice", choices=("Gold", "Blue")),
    }
    ghl = Description(
        "ghl",
        {**_known(), Entity.CONTACT: {**GHL[Entity.CONTACT].info, **custom}},
        region="US",
        modified=frozenset({Entity.CONTACT}),
    )
    columns = {"mail": FieldInfo(), "phone": FieldInfo(), **app}
    tasks = {"what": FieldInfo(), "due": FieldInfo("instant")}
    side = Description("app", {Entity.CONTACT: columns, Entity.TASK: tasks})
    return [
        one
        for one in fit(pair.mapping, {Side.APP: side, Side.GHL: ghl})
        if one.level is not Level.OK
    ]


@pytest.mark.parametrize(
    ("lines", "app", "words", "level"),
    [
        ('nick = "lastName"', {}, '"nick" in the app does not exist', Level.ERROR),
        ('phone = "contact.sise"', {}, '"contact.sise" in GHL does not exist', Level.ERROR),
        ('phone = "city"', {"phone": FieldInfo(writable=False)}, "cannot be written", Level.ERROR),
        (
            'phone = { ghl = "contact.size", codec = "bool" }',
            {},
            "is of type decimal",
            Level.WARNING,
        ),
        ('phone = { ghl = "postalCode", blank = "clear" }', {}, "cannot be cleared", Level.WARNING),
        (
            'phone = { ghl = "contact.kind", choices = { g = "Gold", r = "Red" } }',
            {},
            "does not offer Red",
            Level.ERROR,
        ),
        ('phone = { ghl = "city", conflict = "newest" }', {}, "has no time of change", Level.ERROR),
    ],
)
def test_the_mapping_must_fit(
    world: World, lines: str, app: dict[str, FieldInfo], words: str, level: Level
) -> None:
    """A field that one side does not have, cannot take or cannot tell is found by comparing the mapping with both."""
    (found,) = _fit(world, lines, **app)
    assert words in found.what
    assert found.level is level
    assert found.remedy


@pytest.mark.parametrize(
    ("days", "said"),
    [(3, "ok.*3 days old: rotate the token within 87 days"), (84, "warning.*84 days old")],
)
def test_the_age_of_a_token_in_a_file(world: World, days: int, said: str) -> None:
    """Of a token in a file its age and the days that are left are told, and a warning comes a week before its time."""
    file = world.folder / "token.txt"
    file.write_text("pit-whole")
    file.chmod(0o600)
    pair = world.pair(PAIR.replace("env:GHL_TOKEN", "file:token.txt"))
    now = datetime.fromtimestamp(file.stat().st_mtime, UTC) + timedelta(days=days)
    (found,) = token(pair, now)
    assert re.search(said, str(found))
    (unknown,) = token(world.pair(), now)
    assert "GHL does not tell how old" in unknown.what


def test_the_estimate_counts_opportunities(world: World) -> None:
    """A full read needs a page for each hundred of them, and one for the pipelines, where they are mapped."""
    box = world.sandbox
    box.seed_pipeline("loc1", "Sales", ["New"])
    ann = box.seed_contact("loc1", email="ann@x.com")
    for number in range(101):
        box.seed_opportunity(ann, name=f"Deal {number}", pipeline="Sales")
    deals = PAIR + "[app.opportunity]\ntable = 'deals'\nparent = 'person_id'\n"
    deals += "[opportunity.fields]\nwhat = 'name'\npipeline = 'pipeline'\n"
    found = []
    for text in (PAIR, deals):
        pair = world.pair(text)
        with connect_ghl(pair.ghl) as connector:
            found.append(estimate(pair, connector.api))
    assert None not in found
    assert (found[1] or 0) - (found[0] or 0) == 3
