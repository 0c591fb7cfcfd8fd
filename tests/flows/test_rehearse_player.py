"""What the people of a rehearsal do: never what no job could tell from something else, and the same for a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from flows.config import load
from flows.demo import make
from flows.rehearse.book import Book, Ident
from flows.rehearse.cast import Shape
from flows.rehearse.harms import search_lacks_fields
from flows.rehearse.names import Looked, Names
from flows.rehearse.rules import Row
from flows.rehearse.sides import AppScreen
from flows.rehearse.town import Town, settled
from flows.rehearse.wire import Wire
from reconcile.model import Entity, Side
from tests.flows.acme import without_sales

KNOWN_BY = ("email", "phone", "first_name", "last_name")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town on its first morning."""
    folder = tmp_path_factory.mktemp("town")
    pair = make(folder / "demo", contacts=40)
    pair.write_text(without_sales(pair.read_text(encoding="utf-8")), encoding="utf-8")
    copies = folder / "copies"
    copies.mkdir()
    with settled(load(pair), copies, seed=1, people=None) as made:
        yield made


def _people(town: Town) -> dict[str, Row]:
    return {row.key: row for row in town.looked()[Side.APP][Entity.CONTACT]}


def _with_tasks(town: Town) -> Ident:
    """Somebody with a task, whose name and address are known."""
    owners = {row.of for row in town.looked()[Side.APP][Entity.TASK]}
    ident = next(
        ident
        for ident in town.idents("contact", "app")
        if (row := town.now.row("app", ident)) is not None
        and row.key in owners
        and all(row.cells[name] for name in ("email", "last_name"))
    )
    town.touched.add(ident)
    return ident


def test_who_gets_a_key_is_known_by_nothing_of_its_former_holder(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new person has no name of the former one, also where everybody is called so: by the job's rule it would be the same person still."""
    ident = _with_tasks(town)
    key = town.key("app", ident)
    before = _people(town)[key]
    name = str(before.cells["last_name"])
    everybody = {(Entity.CONTACT, "last_name"): Shape([name] * 40, {}, len(name))}
    with monkeypatch.context() as patched:
        patched.setattr(town.cast, "shapes", town.cast.shapes | everybody)
        town.give_key(ident)
    after = _people(town)[key]
    for name in KNOWN_BY:
        assert before.cells[name] is None or after.cells[name] != before.cells[name]
    assert town.look().row("app", ident) is None
    assert not [row for row in town.looked()[Side.APP][Entity.TASK] if row.of == key]


def test_a_key_that_the_app_does_not_give_stays(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the app refuses the new person, the former one is there still, with all tasks."""
    ident = _with_tasks(town)
    before = town.looked()
    with monkeypatch.context() as patched:
        patched.setattr(AppScreen, "edit", lambda *_: False)
        town.give_key(ident)
    assert town.looked() == before
    assert town.look().row("app", ident) is not None


def test_who_is_known_by_one_value_keeps_the_key(town: Town) -> None:
    """Who was known by an email alone may have a new one: no job is to take that for another person."""
    ident = _with_tasks(town)
    row = town.now.row("app", ident)
    assert row is not None
    row.cells |= dict.fromkeys((name for name in row.cells if name != "email"), None)
    before = town.looked()
    town.give_key(ident)
    assert town.looked() == before


def test_a_key_counted_anew_is_somebody_elses(town: Town) -> None:
    """With a backup the counters go back: what was deleted since, and linked before, does not keep its name for the next one."""
    ident = _with_tasks(town)
    kept = town.backup()
    values: dict[str, str | None] = {"title": "call"}
    key = town.enter("app", "task", values, ident)
    town.names.same("task", str(key), "g")
    town.screens[Side.APP].delete(Entity.TASK, str(key))
    town.put_back(kept)
    assert town.names.uid(("task", "app", str(key))) != town.names.uid(("task", "ghl", "g"))


def _looked(keys: Mapping[str, str]) -> Looked:
    """Three people and a task each, in the order of their keys."""
    people = [Row(keys[name], None, {"name": name, "firm": keys["Firm"]}) for name in "ABC"]
    tasks = [Row(keys[f"task {name}"], keys[name], {"title": "call"}) for name in "ABC"]
    app = {
        Entity.CONTACT: sorted(people, key=lambda row: row.key),
        Entity.TASK: sorted(tasks, key=lambda row: row.key),
    }
    return MappingProxyType({Side.APP: app, Side.GHL: {}})


def test_keys_made_by_chance_change_no_order(tmp_path: Path) -> None:
    """Records stand in the order of what they hold: a seed picks the same ones, whatever keys a database makes up."""
    names = ["A", "B", "C", "task A", "task B", "task C", "Firm"]
    orders = []
    for keys in (names, names[::-1]):
        mine = dict(zip(names, (f"k{key}" for key in keys), strict=True))
        known = Names(tmp_path / "none.db", {("contact", "firm"): "company"})
        known.seen(_looked(mine))
        owners = {f"app {key}": name for name, key in mine.items()}
        placed = sorted(known.places, key=known.places.__getitem__)
        orders.append([owners[uid] for _, uid in placed])
    assert orders[0] == orders[1] == names[:6]


def test_a_linked_record_keeps_its_place(tmp_path: Path) -> None:
    """What the job makes across of a record stands where that one stood, under its new name."""
    known = Names(tmp_path / "none.db")
    people = [Row("g1", None, {"name": "A"}), Row("g2", None, {"name": "B"})]
    known.seen({Side.APP: {}, Side.GHL: {Entity.CONTACT: people}})
    known.same("contact", "x9", "g1")
    places = known.places
    assert places["contact", "app x9"] < places["contact", "ghl g2"]


def test_a_search_lacks_what_several_had() -> None:
    """What nobody but one of today has, a search lacks without a sign: no run is to notice that."""
    shows: list[Any] = []
    idents = [("contact", "ann"), ("contact", "ben")]
    world = SimpleNamespace(
        dice=SimpleNamespace(choice=lambda _: ("tags", "city")),
        idents=lambda _: idents,
        key=lambda _side, ident: ident[1],
        wire=SimpleNamespace(show=shows),
        book=Book(),
    )
    search_lacks_fields(cast("Any", world))
    rows: list[dict[str, Any]] = [
        {"id": "ann", "tags": [], "city": "Bonn"},
        {"id": "ben", "tags": ["vip"], "city": "Rome"},
        {"id": "new", "tags": ["vip"], "city": "Graz"},
    ]
    shows[0]("/contacts/search", {"contacts": rows})
    assert [row["tags"] for row in rows] == [[], ["vip"], ["vip"]]
    assert not [row for row in rows if "city" in row]


def test_nobody_types_into_what_is_being_written() -> None:
    """Between the job's look at a contact and the answer to its write, nothing is typed into that one."""
    answered: list[str] = []

    async def scene() -> None:
        writing, written = asyncio.Event(), asyncio.Event()

        async def sandbox(scope: Any, _receive: Any, _send: Any) -> None:
            if scope["method"] == "PUT" and scope["path"] == "/contacts/ann":
                writing.set()
                await written.wait()
                answered.append("ann")

        wire = Wire(sandbox)

        def typed() -> bool:
            if "ann" in wire.looked:
                return True
            answered.append("typed")
            return False

        async def ask(method: str, path: str) -> None:
            scope = {"type": "http", "method": method, "path": path}
            await wire(scope, cast("Any", None), cast("Any", None))

        wire.at_write[2] = [typed]
        await ask("GET", "/contacts/ann")
        write = asyncio.create_task(ask("PUT", "/contacts/ann"))
        await writing.wait()
        await ask("POST", "/contacts/")
        written.set()
        await write
        await ask("POST", "/contacts/")

    asyncio.run(scene())
    assert answered == ["ann", "typed"]
