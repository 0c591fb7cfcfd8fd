"""Delta runs: what changed, or was named, arrives on the other side; nothing else is read for writing, written or concluded."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox
from flows.clock import moment
from flows.config import load
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.tables import PEOPLE, REMARKS, TODOS, engine_of, now
from flows.demo.world import open_sandbox
from flows.jobs import delta
from flows.jobs.delta import Delta
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.run import Options, Run
from flows.runner import carry_out
from flows.scope import Sought
from flows.steps import marks
from reconcile.errors import Refused, StateError, Transient
from reconcile.ledger import hints, runs, schema, watermarks
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Side
from reconcile.plan import planfile
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.ports import Proof
from tests.flows.acme import Acme

DUE = datetime(2026, 12, 24, 9, 0)  # noqa: DTZ001 - UTC, as the app's tables keep it


@dataclass(frozen=True, slots=True)
class Went:
    """What a delta run came to: its report, what it planned to write, and the requests it sent."""

    told: Told
    operations: Sequence[Operation]
    requests: int

    @property
    def writes(self) -> list[tuple[OpKind, Entity, Side]]:
        return [(o.kind, o.entity, o.side) for o in self.operations if o.kind not in LEDGER_ONLY]

    def only(self) -> Operation:
        (operation,) = (o for o in self.operations if o.kind not in LEDGER_ONLY)
        return operation


@dataclass(frozen=True, slots=True)
class World:
    """A pair that a full run brought together, ready to be changed on either side."""

    acme: Acme

    def delta(self, **sought: Any) -> Went:
        with self.run() as run:
            told = carry_out(run, Delta(sought=Sought(**sought)))
            operations = list(planfile.operations(run.plan_path))
            requests = run.connectors[Side.GHL].usage().requests
        assert told.document["statement"]["clean"], told.document["statement"]
        return Went(told, operations, requests)

    @contextmanager
    def run(self) -> Iterator[Run]:
        with open_run(load(self.acme.pair), Options("delta")) as run:
            yield run

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        pair = load(self.acme.pair)
        ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
        yield ledger
        ledger.close()

    @contextmanager
    def ghl(self) -> Iterator[Sandbox]:
        with open_sandbox(self.acme.folder / SANDBOX_FILE) as sandbox:
            yield sandbox

    def app(self, *statements: sa.Executable) -> Any:
        engine = engine_of(self.acme.app_url)
        with engine.begin() as connection:
            results = [connection.execute(statement) for statement in statements]
            keys = [result.inserted_primary_key[0] for result in results if result.is_insert]  # type: ignore[attr-defined]
        engine.dispose()
        return keys[0] if keys else None

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        engine = engine_of(self.acme.app_url)
        with engine.connect() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
        engine.dispose()
        return found

    def linked(self) -> tuple[str, str]:
        """One contact that is linked, by its keys in the app and in GHL; with an email, so that it is nobody else."""
        with self.ledger() as ledger:
            for batch in ledger.links(Entity.CONTACT, ["app_key", "ghl_key", "app_cells"]):
                for row in sorted(batch, key=lambda row: int(str(row[0]))):
                    if '"email"' in str(row[2]) and '"phone"' in str(row[2]):
                        return str(row[0]), str(row[1])
        raise AssertionError("no linked contact")

    def contact(self, key: str) -> dict[str, Any]:
        with self.ghl() as sandbox:
            return next(row for row in sandbox.contacts(LOCATION) if row["id"] == key)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    acme = Acme.made(tmp_path_factory.mktemp("delta") / "world", contacts=40)
    assert acme.run().told.exit_code < 2
    world = World(acme)
    world.delta()
    with (
        world.ledger() as ledger,
        ledger.transaction() as connection,
    ):  # so that only what tests do is new
        for side in Side:
            watermarks.put(ledger, connection, side, moment(datetime.now(UTC) + marks.OVERLAP))
    return acme.folder


@pytest.fixture
def world(settled: Path, tmp_path: Path) -> Iterator[World]:
    """The settled world, put back in its place afterwards: a database is known by its path."""
    kept = tmp_path / "kept"
    shutil.copytree(settled, kept)
    pair = next(settled.glob("acme.toml"))
    acme = Acme(settled, pair, f"sqlite:///{settled / 'app.db'}")
    yield World(acme)
    acme.replaced_by(kept)


# from the app to GHL --------------------------------------------------------------------------------------------------


def test_nothing_changed(world: World) -> None:
    """Without a change a delta plans nothing, and leaves both sides as they were."""
    before = world.acme.state()
    assert world.delta().writes == []
    assert world.acme.state() == before


@pytest.mark.parametrize("named", [True, False])
def test_changed_contact_in_the_app(world: World, *, named: bool) -> None:
    """A changed contact in the app becomes one update in GHL, found by its key or by the watermark.

    A named one costs its own reads, the location's description and the write: not a sweep of everybody.
    """
    app, ghl = world.linked()
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Recife"))
    went = world.delta(app=(app,)) if named else world.delta()
    assert went.only().kind is OpKind.UPDATE
    assert dict(went.only().after) == {"city": "Recife"}
    assert world.contact(ghl)["city"] == "Recife"
    assert went.requests <= 10 or not named


@pytest.mark.parametrize("named", [True, False])
def test_new_contact_in_the_app(world: World, *, named: bool) -> None:
    """A new contact with a task in the app is created in GHL once, with its task."""
    key = world.app(
        sa.insert(PEOPLE).values(
            first_name="Nova", last_name="Casa", email="nova@example.com", vip=False
        )
    )
    world.app(sa.insert(TODOS).values(person_id=key, title="Say hello", due_at=DUE, status="open"))
    went = world.delta(app=(str(key),)) if named else world.delta()
    assert went.writes == [
        (OpKind.CREATE, Entity.CONTACT, Side.GHL),
        (OpKind.CREATE, Entity.TASK, Side.GHL),
    ]
    with world.ghl() as sandbox:
        (made,) = [row for row in sandbox.contacts(LOCATION) if row["email"] == "nova@example.com"]
        assert [
            row["title"] for row in sandbox.tasks(LOCATION) if row["contactId"] == made["id"]
        ] == ["Say hello"]
    assert world.delta().writes == []


def test_new_contact_that_ghl_has_already(world: World) -> None:
    """A new contact in the app whose phone GHL has under another contact is linked to it, not created."""
    with world.ghl() as sandbox:
        there = sandbox.seed_contact(
            LOCATION, firstName="Ana", lastName="Lima", phone="+15125559876"
        )
    key = world.app(
        sa.insert(PEOPLE).values(
            first_name="Ana", last_name="Lima", phone="(512) 555-9876", vip=False
        )
    )
    went = world.delta(app=(str(key),))
    assert (OpKind.CREATE, Entity.CONTACT, Side.GHL) not in went.writes
    assert [o.key for o in went.operations if o.kind is OpKind.ADOPT] == [there]
    with world.ledger() as ledger:
        assert ledger.linked_keys(Entity.CONTACT, "app", [str(key)]) == {str(key)}


def test_ambiguous_stays_ambiguous(world: World) -> None:
    """A new contact that shares its email with another unlinked one is held, though only one of them was named."""
    twin = {"first_name": "Io", "email": "io@example.com", "vip": False}
    first = world.app(sa.insert(PEOPLE).values(**twin, last_name="One"))
    world.app(sa.insert(PEOPLE).values(**twin, last_name="Two"))
    with world.ghl() as sandbox:
        sandbox.seed_contact(LOCATION, firstName="Io", lastName="Moon", email="io@example.com")
    went = world.delta(app=(str(first),))
    assert went.writes == []
    assert went.told.document["entities"]["contact"]["holds"] >= 1


@pytest.mark.parametrize("named", [True, False])
def test_task_in_the_app(world: World, *, named: bool) -> None:
    """A new task in the app becomes a task under the contact in GHL, and its completion follows."""
    app, ghl = world.linked()
    key = world.app(
        sa.insert(TODOS).values(person_id=int(app), title="Send it", due_at=DUE, status="open")
    )
    went = world.delta(app_tasks=(str(key),)) if named else world.delta()
    assert went.writes == [(OpKind.CREATE, Entity.TASK, Side.GHL)]
    world.app(sa.update(TODOS).where(TODOS.c.id == key).values(status="done"))
    went = world.delta(app_tasks=(str(key),)) if named else world.delta()
    assert went.writes == [(OpKind.COMPLETE, Entity.TASK, Side.GHL)]
    with world.ghl() as sandbox:
        (task,) = [
            row
            for row in sandbox.tasks(LOCATION)
            if row["contactId"] == ghl and row["title"] == "Send it"
        ]
    assert task["completed"] is True


def test_tag_in_the_app(world: World) -> None:
    """A tag applied in the app is added to the contact in GHL, and no other tag is touched."""
    app, ghl = world.linked()
    before = set(world.contact(ghl)["tags"])
    (row,) = world.rows(sa.select(PEOPLE.c.tags).where(PEOPLE.c.id == int(app)))
    world.app(
        sa.update(PEOPLE)
        .where(PEOPLE.c.id == int(app))
        .values(tags=[*(row["tags"] or []), "Fresh"])
    )
    went = world.delta()
    assert went.writes == [(OpKind.ADD_TAGS, Entity.TAG, Side.GHL)]
    assert set(world.contact(ghl)["tags"]) == before | {"fresh"}


def test_note_in_the_app(world: World) -> None:
    """A new note in the app goes to GHL."""
    app, ghl = world.linked()
    world.app(sa.insert(REMARKS).values(person_id=int(app), body="Rang twice."))
    assert world.delta().writes == [(OpKind.CREATE, Entity.NOTE, Side.GHL)]
    with world.ghl() as sandbox:
        assert [
            row
            for row in sandbox.notes(LOCATION)
            if row["contactId"] == ghl and "Rang twice." in row["body"]
        ]


# from GHL to the app --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_changed_contact_in_ghl(world: World, *, named: bool) -> None:
    """A changed contact in GHL becomes one update in the app."""
    app, ghl = world.linked()
    with world.ghl() as sandbox:
        sandbox.edit_contact(ghl, city="Natal")
    went = world.delta(ghl=(ghl,)) if named else world.delta()
    assert went.writes == [(OpKind.UPDATE, Entity.CONTACT, Side.APP)]
    (row,) = world.rows(sa.select(PEOPLE.c.city).where(PEOPLE.c.id == int(app)))
    assert row["city"] == "Natal"


@pytest.mark.parametrize("named", [True, False])
def test_new_contact_in_ghl(world: World, *, named: bool) -> None:
    """A new contact in GHL is created in the app once, with its note and its task."""
    with world.ghl() as sandbox:
        key = sandbox.seed_contact(
            LOCATION, firstName="Gal", lastName="Costa", email="gal@example.com"
        )
        sandbox.seed_task(key, title="Ring her", dueDate="2026-12-24T09:00:00Z")
        sandbox.seed_note(key, body="Sings.")
    went = world.delta(ghl=(key,)) if named else world.delta()
    assert sorted(went.writes) == [
        (OpKind.CREATE, Entity.CONTACT, Side.APP),
        (OpKind.CREATE, Entity.NOTE, Side.APP),
        (OpKind.CREATE, Entity.TASK, Side.APP),
    ]
    assert len(world.rows(sa.select(PEOPLE).where(PEOPLE.c.email == "gal@example.com"))) == 1
    assert world.delta().writes == []


def test_new_contact_in_ghl_that_the_app_has_already(world: World) -> None:
    """A new contact in GHL that has a phone of one unlinked person in the app is linked to that person."""
    key = world.app(
        sa.insert(PEOPLE).values(
            first_name="Rita", last_name="Lee", phone="512-555-4321", vip=False
        )
    )
    with world.ghl() as sandbox:
        there = sandbox.seed_contact(
            LOCATION, firstName="Rita", lastName="Lee", phone="+15125554321"
        )
    went = world.delta(ghl=(there,))
    assert (OpKind.CREATE, Entity.CONTACT, Side.APP) not in went.writes
    assert [o.source_key for o in went.operations if o.kind is OpKind.ADOPT] == [str(key)]


@pytest.mark.parametrize("named", ["task", "contact", ""])
def test_task_in_ghl(world: World, named: str) -> None:
    """A new task in GHL becomes one in the app, named by itself or its contact, or found by comparison."""
    app, ghl = world.linked()
    with world.ghl() as sandbox:
        key = sandbox.seed_task(ghl, title="From there", dueDate="2026-12-24T09:00:00Z")
    sought = {"task": {"ghl_tasks": (key,)}, "contact": {"ghl": (ghl,)}, "": {}}[named]
    assert world.delta(**sought).writes == [(OpKind.CREATE, Entity.TASK, Side.APP)]
    (row,) = world.rows(sa.select(TODOS).where(TODOS.c.title == "From there"))
    assert row["person_id"] == int(app)


def test_tag_in_ghl(world: World) -> None:
    """A tag applied in GHL is added in the app."""
    app, ghl = world.linked()
    with world.ghl() as sandbox:
        sandbox.tag_contact(ghl, add=("warm",))
    assert world.delta(ghl=(ghl,)).writes == [(OpKind.ADD_TAGS, Entity.TAG, Side.APP)]
    (row,) = world.rows(sa.select(PEOPLE.c.tags).where(PEOPLE.c.id == int(app)))
    assert "warm" in row["tags"]


def test_hinted_note_in_ghl(world: World) -> None:
    """A webhook's hint has the contact's notes read, which nothing else would tell of."""
    app, ghl = world.linked()
    with world.ghl() as sandbox:
        sandbox.seed_note(ghl, body="Only here.")
    assert world.delta().writes == []
    with world.ledger() as ledger, ledger.transaction() as connection:
        hints.hint(ledger, connection, [ghl], at="2999-01-01T00:00:00.000Z")
    assert world.delta().writes == [(OpKind.CREATE, Entity.NOTE, Side.APP)]
    assert world.rows(
        sa.select(REMARKS).where(
            REMARKS.c.person_id == int(app), REMARKS.c.body.contains("Only here.")
        )
    )


@pytest.mark.parametrize("everything", [False, True])
def test_a_hint_is_followed_once_without_notes(world: World, *, everything: bool) -> None:
    """Where no notes are mapped, a hint ends when its contact was read; it would be read again with each look for ever."""
    _, ghl = world.linked()
    pair = world.acme.pair
    sections = re.split(r"(?m)^(?=\[)", pair.read_text(encoding="utf-8"))
    pair.write_text(
        "".join(one for one in sections if not re.match(r"\[(app\.)?note\b", one)), encoding="utf-8"
    )
    world.acme.run()
    with world.ledger() as ledger:
        with ledger.transaction() as connection:
            hints.hint(
                ledger, connection, [ghl, "goneGoneGone00000001"], at=moment(datetime.now(UTC))
            )
        assert len(hints.hinted(ledger)) == 2
        if everything:
            world.acme.run()
        else:
            world.delta()
        assert hints.hinted(ledger) == []


# what a part does not show --------------------------------------------------------------------------------------------


def test_nothing_else_is_touched(world: World) -> None:
    """With other changes on both sides, a named contact's alone is carried; the rest waits for who looks for it."""
    app, ghl = world.linked()
    world.app(
        sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Recife"),
        sa.update(PEOPLE).where(PEOPLE.c.id != int(app)).values(company="Everywhere Inc."),
    )
    before = world.acme.state()["ghl contacts"]
    assert world.delta(app=(app,)).writes == [(OpKind.UPDATE, Entity.CONTACT, Side.GHL)]
    after = world.acme.state()["ghl contacts"]
    assert (before - after).total() == 1
    assert world.contact(ghl)["city"] == "Recife"


def test_deletions_are_left_to_a_full_run(world: World) -> None:
    """A deletion on either side is concluded from no part, counts as no absence, and is seen by the next full run."""
    app, ghl = world.linked()
    tasks = world.rows(
        sa.select(TODOS.c.id, TODOS.c.person_id).where(TODOS.c.person_id != int(app))
    )
    world.app(
        sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(deleted_at=now()),
        sa.delete(TODOS).where(TODOS.c.id == tasks[0]["id"]),
    )
    before = world.acme.state()["ghl contacts"], world.acme.state()["ghl tasks"]
    went = world.delta(app=(app, str(tasks[0]["person_id"])), ghl=(ghl,))
    assert not [write for write in went.writes if write[0] in (OpKind.DELETE, OpKind.ARCHIVE)]
    assert (world.acme.state()["ghl contacts"], world.acme.state()["ghl tasks"]) == before
    with world.ledger() as ledger:
        absent = [row[0] for batch in ledger.links(Entity.CONTACT, ["app_absent"]) for row in batch]
    assert set(absent) == {0}
    assert [o for o in world.acme.run().operations if o.kind is OpKind.DELETE and o.key == ghl]


def test_questions_out_of_sight_stay_open(world: World) -> None:
    """Holds of records that a delta did not look at are still open after it; an answered one that it saw is closed."""
    with world.ledger() as ledger:
        before = {row.hold_id for row in ledger.holds()}
    assert before
    app, ghl = world.linked()
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Lisboa"))
    with world.ghl() as sandbox:
        sandbox.edit_contact(ghl, city="Porto")
    assert world.delta().writes == []
    with world.ledger() as ledger:
        asked = {row.hold_id for row in ledger.holds()} - before
    assert len(asked) == 1
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Porto"))
    assert world.delta().writes == []
    with world.ledger() as ledger:
        assert {row.hold_id for row in ledger.holds()} == before


def test_a_full_run_after_a_delta_finds_nothing(world: World) -> None:
    """What a delta settled, a full run takes for settled."""
    app, _ = world.linked()
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Recife"))
    world.app(
        sa.insert(PEOPLE).values(
            first_name="Nova", last_name="Casa", email="nova@example.com", vip=False
        )
    )
    assert len(world.delta().writes) == 2
    night = world.acme.run()
    assert [o for o in night.operations if o.kind not in LEDGER_ONLY] == []


# the watermark --------------------------------------------------------------------------------------------------------


def test_the_watermark_moves_with_looks_by_time(world: World) -> None:
    """A look by time moves both sides' watermarks to its start; a named one does not."""
    with world.ledger() as ledger, ledger.transaction() as connection:
        connection.execute(sa.update(schema.watermark).values(at="2026-01-01T00:00:00.000Z"))
    with world.ledger() as ledger:
        before = {side: watermarks.get(ledger, side) for side in Side}
    app, _ = world.linked()
    world.delta(app=(app,))
    with world.ledger() as ledger:
        assert {side: watermarks.get(ledger, side) for side in Side} == before
    world.delta()
    with world.ledger() as ledger:
        (newest, *_) = runs.runs(ledger)
        assert {watermarks.get(ledger, side) for side in Side} == {newest.started_at}


def test_a_watermark_in_the_future_is_refused_until_a_full_run(world: World) -> None:
    """Where the clock was set back, a look by time would find nothing for as long as that: it says so, and a full run mends it."""
    tomorrow = moment(datetime.now(UTC) + timedelta(days=1))
    with world.ledger() as ledger, ledger.transaction() as connection:
        for side in Side:
            watermarks.put(ledger, connection, side, tomorrow)
    with pytest.raises(Refused, match="clock was set back") as caught:
        world.delta()
    assert caught.value.code == "CLOCK_BACK"
    world.acme.run()
    with world.ledger() as ledger:
        assert all(str(watermarks.get(ledger, side)) < tomorrow for side in Side)
    world.delta()


def test_a_look_that_failed_moves_nothing(world: World) -> None:
    """Where a side cannot tell what changed, nothing is written and the next look begins where this one did."""
    with world.ledger() as ledger:
        before = {side: watermarks.get(ledger, side) for side in Side}
    cut = Proof(complete=False, why_incomplete="cut off")
    with world.run() as run:
        run.connectors[Side.GHL].extract = lambda entity, scope: iter([cut])  # type: ignore[method-assign]
        with pytest.raises(Transient, match="could not be read"):
            carry_out(run, Delta())
    with world.ledger() as ledger:
        assert {side: watermarks.get(ledger, side) for side in Side} == before


def test_many_changes_are_a_full_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than a delta is for are carried by a full run, at once."""
    monkeypatch.setattr(delta, "MOST", 3)
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id < 10).values(company="Everywhere Inc."))
    went = world.delta()
    assert {kind for kind, _, _ in went.writes} == {OpKind.UPDATE}
    assert not any(
        snapshot["partial"]
        for snapshot in went.told.document["provenance"]["snapshots"]
        if snapshot["entity"] == "contact"
    )


def test_before_the_first_run(tmp_path: Path) -> None:
    """A pair that was never reconciled as a whole has no delta: it is told to do the first run."""
    acme = Acme.made(tmp_path / "world")
    with (
        open_run(load(acme.pair), Options("delta")) as run,
        pytest.raises(Refused, match="never reconciled"),
    ):
        carry_out(run, Delta(sought=Sought(app=("1",))))


NOWHERE = {
    "app": ("contact", "app"),
    "ghl": ("contact", "ghl"),
    "app_tasks": ("task", "app"),
    "ghl_tasks": ("task", "ghl"),
    "app_notes": ("note", "app"),
}


def test_what_was_named_and_is_nowhere_is_told(world: World) -> None:
    """A key that nobody knows is no agreement: it is named, and the exit code says that something is left."""
    told = world.delta(app=("987654321",)).told
    assert told.document["nowhere"] == [{"entity": "contact", "side": "app", "key": "987654321"}]
    verdict = told.document["verdict"]
    assert verdict["headline"] == "1 record that was named cannot be found"
    assert "contact 987654321 of the app" in verdict["sentences"][0]
    assert told.exit_code == 1


def test_everything_that_was_named_and_is_nowhere_is_told(world: World) -> None:
    """Keys of both sides, of contacts, tasks and notes, are each named with what they were to be of."""
    told = world.delta(**dict.fromkeys(NOWHERE, ("987654321",))).told
    named = {(each["entity"], each["side"]) for each in told.document["nowhere"]}
    assert (named, len(told.document["nowhere"])) == (set(NOWHERE.values()), len(NOWHERE))
    sentences = " ".join(told.document["verdict"]["sentences"])
    for entity, side in NOWHERE.values():
        assert f"{entity} 987654321 of {'the app' if side == 'app' else 'GHL'}" in sentences
    assert told.exit_code == 1


def test_what_was_named_and_is_known_is_not_told_as_missing(world: World) -> None:
    """Also a linked contact that is gone from one side: the ledger knows it."""
    app, ghl = world.linked()
    assert world.delta(app=(app,), ghl=(ghl,)).told.document["nowhere"] == []
    with world.ghl() as sandbox:
        sandbox.delete_contact(ghl)
    assert world.delta(ghl=(ghl,)).told.document["nowhere"] == []


@pytest.mark.parametrize("end", NOWHERE)
def test_an_empty_key_is_refused(end: str) -> None:
    """An empty key names nothing; a list that holds one says something else than its writer meant."""
    with pytest.raises(StateError, match="empty key"):
        Sought(**{end: ("7", " ")})


def test_command(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """`delta --app KEY --json` prints the run's document and ends with its exit code."""
    from flows.commands.moving import delta as command

    app, ghl = world.linked()
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Recife"))
    assert command(pair=world.acme.pair, app=[app], json=True) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    assert (told["job"], told["entities"]["contact"]["updates"]) == ("delta", 1)
    assert world.contact(ghl)["city"] == "Recife"
