"""Delta runs: what changed, or was named, arrives on the other side; nothing else is read for writing, written or concluded."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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

    def couples(self) -> list[tuple[str, str]]:
        """Contacts that are linked, by their keys in the app and in GHL; with an email, so that each is nobody else."""
        with self.ledger() as ledger:
            batches = ledger.links(Entity.CONTACT, ["app_key", "ghl_key", "app_cells"])
            rows = sorted((row for batch in batches for row in batch), key=lambda row: int(row[0]))
        return [
            (str(row[0]), str(row[1]))
            for row in rows
            if '"email"' in str(row[2]) and '"phone"' in str(row[2])
        ]

    def linked(self) -> tuple[str, str]:
        """The first of them."""
        return self.couples()[0]

    def contact(self, key: str) -> dict[str, Any]:
        with self.ghl() as sandbox:
            return next(row for row in sandbox.contacts(LOCATION) if row["id"] == key)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    acme = Acme.settled(tmp_path_factory.mktemp("delta") / "world")
    world = World(acme)
    world.delta()
    with (
        world.ledger() as ledger,
        ledger.transaction() as connection,
    ):  # so that only what tests do is new
        for side in Side:
            watermarks.put(ledger, connection, side, moment(datetime.now(UTC) + marks.OVERLAP))
    return acme


@pytest.fixture
def world(settled: Acme, tmp_path: Path) -> World:
    """A copy of the settled world."""
    return World(settled.copied(tmp_path / "world"))


# a day on both sides --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """What people did, each to a contact of its own; the delta that came then, and one after a task of the app was done.

    `people` are the linked contacts, by their keys in the app and in GHL; `tags` are those that `tag here` had in GHL.
    """

    world: World
    people: Mapping[str, tuple[str, str]]
    tags: frozenset[str]
    first: Went
    second: Went


@pytest.fixture(scope="module", params=["named", "looked for"])
def day(
    request: pytest.FixtureRequest, settled: Acme, tmp_path_factory: pytest.TempPathFactory
) -> Day:
    """The same day twice: once its records are named, once the deltas find them."""
    world = World(settled.copied(tmp_path_factory.mktemp("day") / "world"))
    what = ("city here", "task here", "tag here", "note here")
    what += ("city there", "task there", "tag there", "named with a task")
    people = dict(zip(what, world.couples(), strict=False))
    here, there = ({name: couple[at] for name, couple in people.items()} for at in (0, 1))
    tags = frozenset(world.contact(there["tag here"])["tags"])
    task = _a_day_in_the_app(world, {name: int(key) for name, key in here.items()})
    theirs = _a_day_in_ghl(world, there)
    with world.ghl() as sandbox:
        gal = next(row["id"] for row in sandbox.contacts(LOCATION) if row["lastName"] == "Costa")
    (nova,) = world.rows(sa.select(PEOPLE.c.id).where(PEOPLE.c.last_name == "Casa"))
    (remark,) = world.rows(sa.select(REMARKS.c.id).where(REMARKS.c.body == "Rang twice."))
    named = request.param == "named"
    sought = {
        "app": (here["city here"], here["tag here"], str(nova["id"])),
        "app_tasks": (str(task),),
        "app_notes": (str(remark["id"]),),
        "ghl": (there["city there"], there["tag there"], there["named with a task"], gal),
        "ghl_tasks": (theirs,),
    }
    first = world.delta(**(sought if named else {}))
    world.app(sa.update(TODOS).where(TODOS.c.id == task).values(status="done"))
    second = world.delta(**({"app_tasks": (str(task),)} if named else {}))
    return Day(world, people, tags, first, second)


def _a_day_in_the_app(world: World, keys: Mapping[str, int]) -> int:
    """Returns the key of the task of `task here`."""
    tagged = PEOPLE.c.id == keys["tag here"]
    (row,) = world.rows(sa.select(PEOPLE.c.tags).where(tagged))
    nova = world.app(
        sa.insert(PEOPLE).values(
            first_name="Nova", last_name="Casa", email="nova@example.com", vip=False
        )
    )
    world.app(
        sa.update(PEOPLE).where(PEOPLE.c.id == keys["city here"]).values(city="Recife"),
        sa.update(PEOPLE).where(tagged).values(tags=[*(row["tags"] or []), "Fresh"]),
        sa.insert(TODOS).values(person_id=nova, title="Say hello", due_at=DUE, status="open"),
        sa.insert(REMARKS).values(person_id=keys["note here"], body="Rang twice."),
    )
    task = sa.insert(TODOS).values(
        person_id=keys["task here"], title="Send it", due_at=DUE, status="open"
    )
    return int(world.app(task))


def _a_day_in_ghl(world: World, keys: Mapping[str, str]) -> str:
    """Returns the key of the task of `task there`."""
    due = "2026-12-24T09:00:00Z"
    with world.ghl() as sandbox:
        sandbox.edit_contact(keys["city there"], city="Natal")
        sandbox.tag_contact(keys["tag there"], add=("warm",))
        sandbox.seed_task(keys["named with a task"], title="By its contact", dueDate=due)
        gal = sandbox.seed_contact(
            LOCATION, firstName="Gal", lastName="Costa", email="gal@example.com"
        )
        sandbox.seed_task(gal, title="Ring her", dueDate=due)
        sandbox.seed_note(gal, body="Sings.")
        return sandbox.seed_task(keys["task there"], title="From there", dueDate=due)


def test_a_day_is_carried_once(day: Day) -> None:
    """Each change becomes one write on the other side, and there is no other; what was carried is found by no later look."""
    kinds = Counter(day.first.writes)
    assert kinds == {
        (OpKind.CREATE, Entity.CONTACT, Side.GHL): 1,
        (OpKind.CREATE, Entity.TASK, Side.GHL): 2,
        (OpKind.CREATE, Entity.NOTE, Side.GHL): 1,
        (OpKind.UPDATE, Entity.CONTACT, Side.GHL): 1,
        (OpKind.ADD_TAGS, Entity.TAG, Side.GHL): 1,
        (OpKind.CREATE, Entity.CONTACT, Side.APP): 1,
        (OpKind.CREATE, Entity.TASK, Side.APP): 3,
        (OpKind.CREATE, Entity.NOTE, Side.APP): 1,
        (OpKind.UPDATE, Entity.CONTACT, Side.APP): 1,
        (OpKind.ADD_TAGS, Entity.TAG, Side.APP): 1,
    }
    assert day.second.writes == [(OpKind.COMPLETE, Entity.TASK, Side.GHL)]
    assert day.world.delta().writes == []


def test_changed_contact_in_the_app(day: Day) -> None:
    """A changed contact in the app becomes one update in GHL, found by its key or by the watermark."""
    _, ghl = day.people["city here"]
    (update,) = (o for o in day.first.operations if (o.kind, o.key) == (OpKind.UPDATE, ghl))
    assert dict(update.after) == {"city": "Recife"}
    assert day.world.contact(ghl)["city"] == "Recife"


def test_new_contact_in_the_app(day: Day) -> None:
    """A new contact with a task in the app is created in GHL once, with its task."""
    with day.world.ghl() as sandbox:
        (made,) = [row for row in sandbox.contacts(LOCATION) if row["email"] == "nova@example.com"]
    assert titles(day.world, made["id"]) == {"Say hello": False}


def test_task_in_the_app(day: Day) -> None:
    """A new task in the app becomes a task under the contact in GHL, and its completion follows."""
    assert titles(day.world, day.people["task here"][1])["Send it"] is True


def test_tag_in_the_app(day: Day) -> None:
    """A tag applied in the app is added to the contact in GHL, and no other tag is touched."""
    _, ghl = day.people["tag here"]
    assert set(day.world.contact(ghl)["tags"]) == day.tags | {"fresh"}


def test_note_in_the_app(day: Day) -> None:
    """A new note in the app goes to GHL."""
    _, ghl = day.people["note here"]
    with day.world.ghl() as sandbox:
        bodies = [row["body"] for row in sandbox.notes(LOCATION) if row["contactId"] == ghl]
    assert sum("Rang twice." in body for body in bodies) == 1


def test_changed_contact_in_ghl(day: Day) -> None:
    """A changed contact in GHL becomes one update in the app."""
    app, _ = day.people["city there"]
    (row,) = day.world.rows(sa.select(PEOPLE.c.city).where(PEOPLE.c.id == int(app)))
    assert row["city"] == "Natal"


def test_new_contact_in_ghl(day: Day) -> None:
    """A new contact in GHL is created in the app once, with its note and its task."""
    (made,) = day.world.rows(sa.select(PEOPLE.c.id).where(PEOPLE.c.email == "gal@example.com"))
    for table, column, text in ((TODOS, TODOS.c.title, "Ring her"), (REMARKS, REMARKS.c.body, "S")):
        (row,) = day.world.rows(sa.select(table).where(column.startswith(text)))
        assert row["person_id"] == made["id"]


@pytest.mark.parametrize(
    ("title", "of"), [("From there", "task there"), ("By its contact", "named with a task")]
)
def test_task_in_ghl(day: Day, title: str, of: str) -> None:
    """A new task in GHL becomes one in the app, named by itself or its contact, or found by comparison."""
    (row,) = day.world.rows(sa.select(TODOS).where(TODOS.c.title == title))
    assert row["person_id"] == int(day.people[of][0])


def test_tag_in_ghl(day: Day) -> None:
    """A tag applied in GHL is added in the app."""
    app, _ = day.people["tag there"]
    (row,) = day.world.rows(sa.select(PEOPLE.c.tags).where(PEOPLE.c.id == int(app)))
    assert "warm" in row["tags"]


def titles(world: World, ghl: str) -> dict[str, bool]:
    """The tasks of a contact in GHL, and whether each is done."""
    with world.ghl() as sandbox:
        rows = [row for row in sandbox.tasks(LOCATION) if row["contactId"] == ghl]
    return {row["title"]: row["completed"] for row in rows}


# from the app to GHL --------------------------------------------------------------------------------------------------


def test_nothing_changed(world: World) -> None:
    """Without a change a delta plans nothing, and leaves both sides as they were."""
    before = world.acme.state()
    assert world.delta().writes == []
    assert world.acme.state() == before


def test_a_named_contact_costs_no_sweep(world: World) -> None:
    """A contact that is named costs its own reads, the location's description and the write: not a sweep of everybody."""
    app, ghl = world.linked()
    world.app(sa.update(PEOPLE).where(PEOPLE.c.id == int(app)).values(city="Recife"))
    went = world.delta(app=(app,))
    assert world.contact(ghl)["city"] == "Recife"
    assert went.requests <= 10


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


# from GHL to the app --------------------------------------------------------------------------------------------------


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
