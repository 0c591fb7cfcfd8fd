"""A person who is erased: nothing of theirs is left in what is kept, all else is as it was, and nobody brings them back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pytest
import sqlalchemy as sa

from flows.jobs.full import FULL
from flows.outcome.explain import explanation
from flows.runner import carry_out
from flows.state import erasing, imprints
from flows.state.backups import back_up
from reconcile.errors import StateError
from reconcile.ledger import runs, schema
from reconcile.ledger.acts import record
from reconcile.ledger.ledger import Decision
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo
from reconcile.report import kept
from reconcile.stage.archive import Archived
from reconcile.values.codecs import Email
from reconcile.values.references import Linked
from tests.builders import World, companies, contacts, field_of, mapping_of, tasks
from tests.flows.nights import night, opened, take_back

ADA = {
    "first_name": "Zenobia",
    "last_name": "Quillfeather",
    "email": "zenobia@quill.example",
    "phone": "+12065550177",
    "company": "Quillworks Atelier",
    "tags": ["quilltag"],
}
WORDS = ("zenobia", "quillfeather", "quill.example", "quillworks", "quilltag", "secret of hers")
APP_KEY = "ada-in-the-app"


def desk_of(world: World) -> erasing.Desk:
    """What an erasure works on, in a world."""
    pair = cast("Any", SimpleNamespace(name="p", store=str(world.folder)))
    return erasing.Desk(pair, world.ledger, world.mapping, world.folder / "runs")


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Nights in which she was made, edited, asked about, answered for and undone, beside Bob and one with her phone."""
    with World(limits={"max_first_creates": 100}) as world:
        app, ghl = world.app, world.ghl
        ada = app.put(Entity.CONTACT, ADA, key=APP_KEY)
        bob = app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com", "company": "B"})
        task = {"title": "Call Zenobia about the quilts", "due": "2026-01-01T10:00:00Z"}
        app.put(Entity.TASK, {**task, "completed": False}, parent=ada)
        app.put(Entity.NOTE, {"body": "a secret of hers, kept"}, parent=ada)
        app.put(Entity.NOTE, {"body": "a note of Bob"}, parent=bob)
        night(world)
        hers, his = (world.links()[key] for key in (ada, bob))
        app.edit(Entity.CONTACT, ada, {"company": "Quillworks Atelier Two"})
        app.edit(Entity.CONTACT, bob, {"company": "Bobco"})
        night(world, verify="written")
        twin = {"first_name": "Twin", "phone": ADA["phone"]}
        app.put(Entity.CONTACT, twin, key="twin-in-the-app")
        for key, at in ((ada, "Quillworks App"), (bob, "App")):
            app.edit(Entity.CONTACT, key, {"company": at})
        for key, at in ((hers, "Quillworks GHL"), (his, "GHL")):
            ghl.edit(Entity.CONTACT, key, {"company": at})
        asked = night(world)
        answers = [
            Decision(hold["hold_id"], "leave", hold["values_digest"], "Eve", world.clock(), "")
            for hold in asked.document["holds"]
            if hold["kind"] == "conflict"
        ]
        record(world.ledger, answers, by="Eve", at=world.clock(), reason="Zenobia Quillfeather")
        ghl.edit(Entity.CONTACT, his, {"last_name": "Young"})
        ghl.edit(Entity.CONTACT, hers, {"last_name": "Quillfeather-Oakes"})
        changed = night(world)
        take_back(world, changed)
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def haystack(world: World) -> Iterator[tuple[str, str]]:
    """Everything that is kept, as text by place: files, tables inside files, and the ledger's tables."""
    for path in sorted(world.folder.rglob("*")):
        if path.suffix == ".parquet":
            yield str(path), repr(duckdb.sql(f"FROM read_parquet('{path}')").fetchall())
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                yield str(path), " ".join(book.read(name).decode() for name in book.namelist())
        elif path.is_file():
            yield str(path), path.read_bytes().decode(errors="replace")
    with world.ledger.engine.connect() as connection:
        for table in schema.metadata.sorted_tables:
            yield table.name, repr(connection.execute(sa.select(table)).all())


def mentions(world: World, *words: str) -> list[tuple[str, str]]:
    """Where something of hers stands."""
    return [
        (place.replace(str(world.folder), ""), word)
        for place, text in haystack(world)
        for word in words
        if word in text.lower()
    ]


def delete(world: World, *sides: Side) -> None:
    """People delete her on these sides."""
    for side in sides:
        (key,) = [k for k, c in world.cells(side).items() if c.get("email") == ADA["email"]]
        world.sides[side].delete(Entity.CONTACT, key)


def test_nothing_of_the_person_is_left_in_what_is_kept(world: World, tmp_path: Path) -> None:
    """A search through every file and table, and through the copy of the ledger that was made, finds none of her values or keys."""
    ghl_key = world.links()[APP_KEY]
    pair = SimpleNamespace(
        name="p",
        ledger_url=SimpleNamespace(get_secret_value=lambda: f"sqlite:///{world.folder}/ledger.db"),
    )
    copy = back_up(cast("Any", pair), tmp_path / "copy.db")
    everywhere = (*WORDS, APP_KEY, ghl_key)
    found = {word for _, word in mentions(world, *everywhere)}
    assert found == set(everywhere)
    totals = [kept.read(path)["totals"] for path in sorted(world.folder.glob("runs/*/report.json"))]
    looked = erasing.look(desk_of(world), erasing.find(desk_of(world), ADA["email"]))
    assert {word for _, word in mentions(world, *everywhere)} == found
    assert (
        world.ledger.state().known
    )  # who may come again as somebody new is found by it, and no more after this

    told = erasing.erase(desk_of(world), ADA["email"], by="Eve")
    assert mentions(world, *everywhere) == []
    assert world.ledger.state().known is None
    assert not [word for word in everywhere if word.encode() in copy.read_bytes().lower()]
    assert [
        kept.read(path)["totals"] for path in sorted(world.folder.glob("runs/*/report.json"))
    ] == totals
    assert told["ledger_rows"] == looked.ledger
    assert told["rows_taken_out"] == looked.rows > 0
    assert told["ledger_copies"].keys() == {"copy.db"}
    assert told["by"] == "Eve"
    for row in runs.runs(world.ledger):
        folder = imprints.check(world.ledger, world.folder / "runs" / row.run_id)
        assert row.run_id in imprints.noted(world.ledger)
        assert (folder / "report.html").exists()


def test_everybody_else_is_as_before(world: World) -> None:
    """Bob's history, question and archived rows are untouched; who has her number is asked about without her; totals stay."""
    bob = next(key for key in world.links() if key != APP_KEY)
    before = explanation(world.ledger, "contact", bob, None)["lines"]
    rows = archived(world, bob)
    twin = [json.loads(str(row.body)) for row in world.ledger.holds() if "twin-in" in str(row.body)]
    assert world.links()[APP_KEY] in twin[0]["values"]["candidates"]

    erasing.erase(desk_of(world), APP_KEY, by="Eve")
    assert explanation(world.ledger, "contact", bob, None)["lines"] == before
    assert archived(world, bob) == rows
    (asked,) = [json.loads(str(r.body)) for r in world.ledger.holds() if "twin-in" in str(r.body)]
    assert asked == twin[0] | {"values": twin[0]["values"] | {"candidates": ["erased"]}}
    with pytest.raises(StateError, match="nothing is known"):
        explanation(world.ledger, "contact", APP_KEY, None)
    with pytest.raises(StateError, match="nothing is kept"):
        erasing.erase(desk_of(world), APP_KEY, by="Eve")


def test_a_deal_goes_with_the_person_and_the_company_stays() -> None:
    """What was sold to her is hers, and nothing of it is left; the company that she shares with Bob is linked and quiet as before."""
    deals = tasks(field_of("name", required=True), field_of("stage"), match=(("name",),))
    people = contacts(
        field_of("email", Email()),
        field_of("firm", Linked(entity=Entity.COMPANY)),
        match=(("email",),),
    )
    mapped = mapping_of(companies(), people, replace(deals, entity=Entity.OPPORTUNITY))
    with World(mapping=mapped) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT].setdefault("firm", FieldInfo())
        firm = world.app.put(Entity.COMPANY, {"name": "Shared Ltd"})
        ada = world.app.put(Entity.CONTACT, {"email": ADA["email"], "firm": firm}, key=APP_KEY)
        world.app.put(Entity.CONTACT, {"email": "bob@x.com", "firm": firm})
        sold = {"name": "Quilltag kitchen", "stage": "New"}
        deal = world.app.put(Entity.OPPORTUNITY, sold, parent=ada, key="deal-of-hers")
        night(world)
        gone = world.links(Entity.OPPORTUNITY)[deal]
        erasing.erase(desk_of(world), APP_KEY, by="Eve")
        assert mentions(world, "quilltag", "zenobia", deal, gone, APP_KEY) == []
        assert list(world.links(Entity.COMPANY)) == [firm]
        delete(world, Side.APP, Side.GHL)
        told = night(world)
        assert told.document["changes"] == []
        assert [row["email"] for row in world.cells(Side.GHL).values()] == ["bob@x.com"]


def archived(world: World, key: str) -> list[Any]:
    """What each archive holds of a contact of the app."""
    found: list[Any] = []
    for folder in sorted(world.folder.glob("runs/*")):
        with Archived(folder) as run:
            found += run.records(Entity.CONTACT, Side.APP, column="key", equals=key)
    return found


def test_a_run_can_still_be_taken_back_for_the_others(world: World) -> None:
    """The undo of an earlier night puts Bob's value back, writes nothing of hers, and says that her writes stay."""
    run_id = runs.runs(world.ledger)[-2].run_id
    erasing.erase(desk_of(world), APP_KEY, by="Eve")
    delete(world, Side.APP, Side.GHL)
    made = take_back(world, cast("Any", SimpleNamespace(document={"run_id": run_id})))
    assert not [change for change in made.document["changes"] if "erased" in json.dumps(change)]
    assert any("of somebody who was erased" in told for told in made.document["undo"]["lost"])
    (his,) = world.links().values()
    assert [each["key"] for each in made.document["undo"]["left"]] == [his]


def test_the_next_nights_bring_nobody_back(world: World) -> None:
    """Gone from both sides she stays gone; where one side still has her, that is asked, with the reason, night after night."""
    erasing.erase(desk_of(world), APP_KEY, by="Eve")
    world.app.delete(Entity.CONTACT, "twin-in-the-app")
    with world.copied() as other:
        delete(other, Side.APP)
        for _ in range(2):
            told = night(other)
            (asked,) = [h for h in told.document["holds"] if h["kind"] == "erased"]
            assert asked["side"] == "ghl"
            assert "was erased: it is not brought over again unasked" in asked["because"]
            assert not any(change["kind"] == "create" for change in told.document["changes"])
            assert not told.document["statement"]["unexplained"]
        assert ADA["email"] not in {each.get("email") for each in other.cells(Side.APP).values()}
    delete(world, Side.APP, Side.GHL)
    for _ in range(2):
        told = night(world)
        assert not any(change["kind"] == "create" for change in told.document["changes"])
        assert mentions(world, "zenobia", APP_KEY) == []


@pytest.mark.parametrize("place", ["stores.replace", "erasing.compact"])
def test_an_erasure_that_is_killed_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Killed between two runs' files, or once the ledger was cleared, the same command brings it to its end."""
    calls: list[object] = []
    part, _, name = place.partition(".")
    owner = getattr(erasing, part)
    right = getattr(owner, name)

    def killed(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == 2 or name != "replace":
            raise KeyboardInterrupt
        return right(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase(desk_of(world), ADA["email"], by="Eve")
    told = erasing.erase(desk_of(world), ADA["email"], by="Adam")
    assert told["by"] == "Eve"
    assert mentions(world, *WORDS, APP_KEY) == []
    assert imprints.noted(world.ledger) == {row.run_id for row in runs.runs(world.ledger)}
    assert [path.name for path in world.folder.glob("erased-*.json")] == [
        f"erased-{told['erasure']}.json"
    ]


def test_what_was_forged_before_stays_disbelieved(world: World) -> None:
    """An erasure takes no imprint of a file that somebody changed; she is taken out of it all the same."""
    folder = world.folder / "runs" / runs.runs(world.ledger)[-1].run_id
    with (folder / "plan.jsonl").open("a", encoding="utf-8") as plan:
        plan.write("{}\n")
    erasing.erase(desk_of(world), APP_KEY, by="Eve")
    assert mentions(world, *WORDS) == []
    with pytest.raises(StateError, match="not what the run left"):
        imprints.check(world.ledger, folder)


def test_a_plan_that_waits_has_to_be_made_again(world: World) -> None:
    """It was made with her in view: nobody can approve it any more, which is said."""
    with opened(world, "plan") as run:
        told = carry_out(run, replace(FULL, writes=False))
    digest = told.document["provenance"]["plan_digest"]
    assert runs.find(world.ledger, plan_digest=digest) is not None
    assert erasing.erase(desk_of(world), APP_KEY, by="Eve")["plans_withdrawn"] == 1
    assert runs.find(world.ledger, plan_digest=digest) is None
