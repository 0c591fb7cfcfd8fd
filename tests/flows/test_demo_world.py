"""The demo's world: made the same for the same seed, overlapping in part, edited on both sides, and judged independently."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox.phones import e164
from flows.config import Pair, load
from flows.demo import differences, edit, edits, make, unmet
from flows.demo.compare import agreed, couples
from flows.demo.people import Population, notation
from flows.demo.seen import Ends, Holder, opened, plain
from flows.demo.tables import PEOPLE, TODOS, now
from flows.demo.world import open_sandbox
from flows.terminal import program
from reconcile.errors import ConfigError
from reconcile.model import Entity, Hold, Side
from reconcile.values.codecs import Email, Phone
from tests.connectors.databases import fresh_database


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world that tests only look at."""
    return make(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A world to change."""
    return make(tmp_path / "demo")


@pytest.fixture
def ends(made: Path) -> Iterator[Ends]:
    with opened(made.parent, made, None) as held:
        yield held


def _sides(pair: Path) -> tuple[dict[str, Holder], dict[str, Holder]]:
    with opened(pair.parent, pair, None) as held:
        return held.app(), held.ghl()


def test_same_seed_same_world(made: Path, tmp_path: Path) -> None:
    """The same seed makes the same people, tasks and notes on both sides, down to GHL's ids; another seed does not."""
    assert _sides(make(tmp_path / "again")) == _sides(made)
    assert _sides(make(tmp_path / "other", seed=8)) != _sides(made)


def test_overlap(ends: Ends) -> None:
    """Of 200 people more than half are on both sides, most by email, some by phone or name alone; a fifth on each alone."""
    app, ghl = ends.app(), ends.ghl()
    by_email = couples(app, ghl, (lambda one: one.cells["email"],))
    linked = couples(app, ghl)
    assert 105 <= len(linked) <= 122
    assert 0.75 <= len(by_email) / len(linked) <= 0.85
    blank = Counter(
        "name" if not (one.cells["phone"] and other.cells["phone"]) else "phone"
        for one, other in linked
        if (one, other) not in by_email
    )
    assert blank["phone"] >= 10
    assert blank["name"] >= 4
    assert 40 <= len(app) - len(linked) <= 50
    assert 40 <= len(ghl) - len(linked) <= 50


def test_knots(ends: Ends) -> None:
    """There are people whom no rule links: a phone that two GHL contacts share, and emails that two of the app's people share."""
    app, ghl = ends.app(), ends.ghl()
    phones = Counter(one.cells["phone"] for one in ghl.values() if one.cells["phone"])
    emails = Counter(one.cells["email"] for one in app.values() if one.cells["email"])
    assert [
        one for one in app.values() if not one.cells["email"] and phones[one.cells["phone"]] == 2
    ]
    shared = [email for email, many in emails.items() if many == 2]
    known = {one.cells["email"] for one in ghl.values()}
    assert {email in known for email in shared} == {True, False}


def test_formatting_differs(ends: Ends) -> None:
    """People who agree on both sides are written differently: phones, the case of emails and tags, HTML in notes."""
    with ends.engine.connect() as connection:
        rows = {str(row["id"]): row for row in connection.execute(sa.select(PEOPLE)).mappings()}
    contacts = {row["id"]: row for row in ends.sandbox.contacts(ends.location)}
    same = [(rows[one.key], contacts[other.key]) for one, other in agreed(ends)]
    assert [1 for row, contact in same if row["phone"] != contact["phone"]]
    assert [1 for row, contact in same if (row["email"] or "") != (contact["email"] or "")]
    assert [1 for row, contact in same if set(row["tags"]) != set(contact["tags"])]
    assert all(note["body"].startswith("<p>") for note in ends.sandbox.notes(ends.location))


def test_broken_and_contested_values(ends: Ends) -> None:
    """Some emails and phones are none, and some people have another city on each side before anything was ever linked."""
    with ends.engine.connect() as connection:
        rows = connection.execute(sa.select(PEOPLE.c.email, PEOPLE.c.phone)).all()
    email, phone = Email(), Phone(region="US")
    assert [row for row in rows if email.fault(email.decode([row.email], Side.APP))]
    assert [row for row in rows if phone.fault(phone.decode([row.phone], Side.APP))]
    assert (
        len(
            [
                1
                for one, other in couples(ends.app(), ends.ghl())
                if one.cells["city"] != other.cells["city"]
            ]
        )
        == 3
    )


def test_tasks_and_notes_partly_shared(ends: Ends) -> None:
    """Of linked people some tasks and notes are on both sides, some in the app alone, some in GHL alone."""
    linked = couples(ends.app(), ends.ghl())
    for held in ("tasks", "notes"):
        found: Counter[str] = Counter()
        for one, other in linked:
            mine, theirs = getattr(one, held), getattr(other, held)
            found.update(
                both=len(mine.keys() & theirs),
                app=len(mine.keys() - theirs),
                ghl=len(theirs.keys() - mine),
            )
        assert all(found[where] >= 5 for where in ("both", "app", "ghl")), f"{held}: {found}"


def test_people_are_told_apart() -> None:
    """No two people share an email, a phone, or a last name with a postal code; each phone and email is a possible one."""
    population = Population(random.Random(3))  # noqa: S311 - made-up people
    people = [population.person() for _ in range(3000)]
    for identity in ({one.email for one in people}, {one.phone for one in people}):
        assert len(identity) == len(people)
    assert len({(one.last_name, one.postal_code) for one in people}) == len(people)
    email = Email()
    for one in people:
        assert email.fault(email.decode([one.email], Side.APP)) is None
        assert {e164(notation(one.phone, style), "US") for style in range(6)} == {one.phone}


def test_pair_file_loads(made: Path) -> None:
    """The pair file that is left behind is right in itself and says what the demo's edits need."""
    pair = load(made, environ={})
    contact, task = pair.mapping[Entity.CONTACT], pair.mapping[Entity.TASK]
    assert pair.is_sandbox
    assert contact.match == (("email",), ("phone",), ("last_name", "postal_code"))
    assert (contact.delete[Side.GHL], contact.delete[Side.APP], contact.absent_runs) == (
        "mirror",
        "hold",
        1,
    )
    assert task.delete[Side.APP] == "mirror"
    assert "#" in made.read_text().split("absent_runs = 1")[0].splitlines()[-2]


@pytest.mark.parametrize("contacts", [40, 200, 1000])
def test_first_run_is_inside_the_limits(contacts: int, tmp_path: Path) -> None:
    """What only one side has of any entity fits max_first_creates of the pair file, whatever the size of the demo."""
    pair = make(tmp_path / "demo", contacts=contacts)
    most = load(pair, environ={}).limits["max_first_creates"]
    app, ghl = _sides(pair)
    linked = couples(app, ghl)
    for own, at in ((app, 0), (ghl, 1)):
        known = {couple[at].key: couple[1 - at] for couple in linked}
        alone = {key: one for key, one in own.items() if key not in known}
        assert len(alone) <= most
        for held in ("tasks", "notes"):
            lonely = sum(len(getattr(one, held)) for one in alone.values())
            missing = sum(
                len(getattr(own[key], held).keys() - getattr(other, held))
                for key, other in known.items()
            )
            assert lonely + missing <= most


def test_too_few_contacts(tmp_path: Path) -> None:
    """Fewer people than the edits need are refused with the least number, before anything is made."""
    with pytest.raises(ConfigError, match="at least 40"):
        make(tmp_path / "small", contacts=39)
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("app", ["soap", "acme.db"])
def test_unknown_application(app: str, tmp_path: Path) -> None:
    """An application that the demo cannot make is refused with the ones that it can, before anything is made."""
    with pytest.raises(ConfigError, match='"rest", "csv", or a database URL'):
        make(tmp_path / "demo", app=app)
    assert not (tmp_path / "demo").exists()


def test_files_and_api_hold_the_same_world(made: Path, tmp_path: Path) -> None:
    """As CSV files, and behind its JSON API, the application knows the same people as in a database; files can be edited."""
    for kind in ("csv", "rest"):
        pair = make(tmp_path / kind, app=kind)
        assert _sides(pair) == _sides(made)
    assert (tmp_path / "csv" / "people.csv").read_text(encoding="utf-8").count("\n") > 100
    before = _sides(tmp_path / "csv" / "acme.toml")
    edit(tmp_path / "csv", tmp_path / "csv" / "acme.toml")
    assert len(_sides(tmp_path / "csv" / "acme.toml")[0]) == len(before[0])


def test_existing_demo_is_left_alone(world: Path) -> None:
    """A folder that holds a demo already is refused, and nothing in it changes."""
    before = world.read_bytes()
    with pytest.raises(
        ConfigError, match=r"there is a demo already: acme\.toml, app\.db, ghl-sandbox\.db"
    ):
        make(world.parent)
    assert world.read_bytes() == before


def test_sandbox_settings_beside_its_file(world: Path) -> None:
    """The sandbox's limits, lag and faults stand in a file beside it, and a change there holds when it is opened again."""
    file = world.with_name("ghl-sandbox.db")
    beside = file.with_suffix(".toml")
    assert beside.name in world.read_text()
    text = beside.read_text().replace("window_seconds = 2.0", "window_seconds = 10.0")
    head, faults = text.split("# [[faults]]")
    beside.write_text(f"{head}[[faults]]{faults.replace('# ', '')}")
    sandbox = open_sandbox(file)
    assert (
        sandbox.settings.pit.max,
        sandbox.settings.pit.window_seconds,
        sandbox.settings.lag_seconds,
    ) == (
        300,
        10.0,
        2.0,
    )
    assert [(fault.kind, fault.every) for fault in sandbox.settings.faults] == [("reset_after", 20)]
    sandbox.close()


def test_keys_are_not_used_again(world: Path) -> None:
    """A to-do that is added after the newest one was deleted gets a key of its own."""
    with opened(world.parent, world, None) as ends, ends.engine.begin() as connection:
        last = connection.scalar(sa.select(sa.func.max(TODOS.c.id)))
        connection.execute(sa.delete(TODOS).where(TODOS.c.id == last))
        row = {"person_id": 1, "title": "New", "due_at": now()}
        assert connection.execute(sa.insert(TODOS).values(row)).inserted_primary_key == (last + 1,)


def test_hand_edits_move_updated_at(world: Path) -> None:
    """An UPDATE by hand that does not think of updated_at moves it all the same; one that sets it keeps what it set."""
    with opened(world.parent, world, None) as ends, ends.engine.connect() as connection:
        asked = sa.text("SELECT updated_at FROM people WHERE id = 1")
        before = connection.scalar(asked)
        connection.exec_driver_sql("UPDATE people SET city = 'Ghent' WHERE id = 1")
        assert connection.scalar(asked) > before
        connection.exec_driver_sql(
            "UPDATE people SET updated_at = '2020-01-01 00:00:00' WHERE id = 1"
        )
        assert connection.scalar(asked) == "2020-01-01 00:00:00"
        assert connection.scalar(sa.select(PEOPLE.c.updated_at).where(PEOPLE.c.id == 1)) is not None


def test_each_edit_is_on_one_side(world: Path) -> None:
    """Before the next run every edit stands on the side where it was made and not across; a conflict on each its own."""
    made = edits(world.parent, world)
    missing = unmet(world.parent, world, made)
    for one in made:
        where = [side for side in Side if f"{one.says}: this is not so in {side.label}" in missing]
        if one.says.endswith("a conflict"):
            assert where == []
        else:
            assert len(where) == 1, one.says
            assert f"in {where[0].other.label}" in one.says
    assert len(made) == 21
    assert len({one.email for one in made}) == 20


def test_edits_start_from_agreement(world: Path) -> None:
    """Those who are edited agreed on both sides, so every difference about them afterwards comes from an edit."""
    before = set(differences(world.parent, world))
    names = " | ".join(edit(world.parent, world))
    new = [said for said in differences(world.parent, world) if said not in before]
    assert len(new) == 22  # a deal that is won changes its stage and its status
    assert all(said.split("'s ")[0].split(" (")[0].split(" has ")[0] in names for said in new)


def test_served_sandbox_is_edited_in_place(world: Path) -> None:
    """A sandbox that is given is the one that is edited, and it stays open."""
    pair = load(world, environ={})
    sandbox = open_sandbox(Path(pair.ghl.url.removeprefix("sandbox:")))
    made = edits(world.parent, world, sandbox=sandbox)
    emails = {contact["email"] for contact in sandbox.contacts(pair.ghl.location)}
    assert made[-1].email in emails
    assert len(unmet(world.parent, world, made, sandbox=sandbox)) == len(made) - 1
    sandbox.close()


def test_too_few_who_agree(world: Path) -> None:
    """Where nobody agrees on both sides there is nobody to edit, and that is said."""
    with opened(world.parent, world, None) as ends, ends.engine.begin() as connection:
        connection.execute(sa.update(PEOPLE).values(street="elsewhere"))
    with pytest.raises(ConfigError, match="too few people agree"):
        edit(world.parent, world)


def _hold(
    entity: Entity, app_key: str | None, ghl_key: str | None, field: str | None = None
) -> Hold:
    return Hold(
        "h", "conflict", entity, "subject", "because", field=field, app_key=app_key, ghl_key=ghl_key
    )


def test_planted_differences_are_found(world: Path) -> None:
    """A field, a tag, a task, a note or a person on one side alone is each told in a sentence; a hold on it excuses it."""
    before = set(differences(world.parent, world))
    with opened(world.parent, world, None) as ends:
        (app, ghl) = next(couple for couple in agreed(ends) if couple[0].tasks and couple[0].tags)
        title, tag = min(app.tasks), min(app.tags)
        box, task = ends.sandbox, ghl.tasks[min(app.tasks)]
        box.edit_contact(ghl.key, city="Nowhere", phone="+12125550199")
        box.tag_contact(ghl.key, remove=(tag,))
        box.edit_task(task.key, dueDate="2031-01-01T00:00:00Z")
        note = box.seed_note(ghl.key, body="<p>Only here</p>")
        lone = box.seed_contact(
            ends.location, firstName="Lone", lastName="Ranger", email="lone@example.com"
        )
    found = set(differences(world.parent, world)) - before
    assert len(found) == 6
    for word in (
        "'Nowhere'",
        "'+12125550199'",
        repr(tag),
        repr(title),
        "'Only here'",
        "Lone Ranger",
    ):
        assert len([said for said in found if word in said]) == 1
    holds = [
        _hold(Entity.CONTACT, app.key, ghl.key, "city"),
        _hold(Entity.CONTACT, app.key, None, "phone"),
        _hold(Entity.CONTACT, None, ghl.key, f"tags: {tag}"),
        _hold(Entity.TASK, None, task.key, "due_at"),
        _hold(Entity.NOTE, None, note),
        _hold(Entity.CONTACT, None, lone),
    ]
    assert set(differences(world.parent, world, holds=holds)) <= before
    excused = differences(world.parent, world, holds=[_hold(Entity.CONTACT, app.key, None)])
    assert [said for said in excused if said in found] == [
        f"Lone Ranger ({lone}) is in GHL, not in the app"
    ]


def test_markup_and_spacing_are_no_difference() -> None:
    """A text in HTML has the words that it has without."""
    assert (
        plain("<p>Ask for Ann &amp; Bo.</p><p>Twice</p>")
        == plain("Ask for Ann & Bo.\n  Twice")
        == "Ask for Ann & Bo. Twice"
    )


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    for url in fresh_database(request.param, tmp_path):
        yield (
            sa.make_url(url)
            .set(drivername=DRIVERS[request.param])
            .render_as_string(hide_password=False)
        )


DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}


def _words(holders: Mapping[str, Holder]) -> list[str]:
    return [
        json.dumps([dict(one.cells), sorted(one.tags), sorted(one.tasks), sorted(one.notes)])
        for one in holders.values()
    ]


def test_on_a_database_server(server: str, made: Path, tmp_path: Path) -> None:
    """The same world is made on PostgreSQL and MariaDB, again and again; the pair file names the URL without holding it."""
    for folder in ("one", "two"):
        pair = make(tmp_path / folder, app=server)
    assert _words(_sides(pair)[0]) == _words(_sides(made)[0])
    assert 'url = "file:app-url.txt"' in pair.read_text()
    assert (pair.parent / "app-url.txt").stat().st_mode & 0o077 == 0
    assert isinstance(load(pair, environ={}), Pair)
    assert len(edit(pair.parent, pair)) == 21


def test_somebody_elses_table_is_not_dropped(server: str, tmp_path: Path) -> None:
    """A table of the same name that the demo did not make stops it before anything is dropped."""
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE todos (mine INTEGER)")
    with pytest.raises(ConfigError, match="a table 'todos' that the demo did not make"):
        make(tmp_path / "demo", app=server)
    assert [column["name"] for column in sa.inspect(engine).get_columns(TODOS.name)] == ["mine"]
    engine.dispose()


def test_the_next_commands_can_be_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the shell does not find the program, as after `./dev demo`, its path stands in the commands that come next."""
    beside = Path(sys.executable).with_name("ghl-reconcile")
    monkeypatch.setenv("PATH", str(beside.parent))
    assert program() == "ghl-reconcile"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(program()).resolve() == beside.resolve()
