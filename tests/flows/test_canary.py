"""Not read is not blank: what a bulk read does not carry is never taken for cleared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.demo.pairfile import SANDBOX_FILE
from reconcile.errors import Refused
from reconcile.model import Entity, Side
from tests.builders import World
from tests.flows.acme import Acme
from tests.flows.nights import night, state

C, T = Entity.CONTACT, Entity.TASK


def people(**vices: frozenset[str]) -> World:
    """Three people with all their values, and a task each, on the app's side."""
    world = World()
    for name in ("ann", "bob", "cyd"):
        fields = {
            "first_name": name.title(),
            "email": f"{name}@x.com",
            "company": "Mill",
            "tags": ["vip"],
        }
        world.app.put(C, fields, key=name)
        world.app.put(
            T, {"title": "Call", "due": "2026-01-01T10:00:00Z"}, parent=name, key=f"t-{name}"
        )
    if vices:
        world.set_vices(Side.GHL, lacks={Entity(entity): names for entity, names in vices.items()})
    return world


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """The same after a night."""
    with people() as made:
        night(made)
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """That, for one test."""
    with settled.copied() as made:
        yield made


@pytest.mark.parametrize(
    ("side", "entity", "name"),
    [
        (Side.GHL, C, "first_name"),
        (Side.GHL, C, "tags"),
        (Side.GHL, T, "title"),
        (Side.APP, C, "company"),
        (Side.APP, T, "due"),
    ],
)
def test_a_field_that_a_bulk_read_stops_carrying_refuses_the_run(
    world: World, side: Side, entity: Entity, name: str
) -> None:
    """Nothing changes on either side, and the refusal names side, field and read; once it is carried again, all is quiet."""
    before = state(world)
    world.set_vices(side, lacks={entity: frozenset({name})})
    with pytest.raises(
        Refused, match=f"(?i){side.label}.*the bulk read.*does not carry {name}"
    ) as refused:
        night(world)
    assert refused.value.code == "NOT_CARRIED"
    assert state(world) == before
    world.set_vices(side, lacks={})
    assert night(world).exit_code == 0
    assert state(world) == before


def test_a_first_run_refuses_what_is_not_carried() -> None:
    """Without a baseline, a field that is blank in every row is looked at by key: nobody is made without a name."""
    with people(contact=frozenset({"first_name"})) as world:
        for name in ("dee", "eve"):
            world.ghl.put(C, {"first_name": name.title(), "email": f"{name}@x.com"})
        with pytest.raises(Refused, match="does not carry first_name"):
            night(world)
        assert len(world.app.rows(C)) == 3


def test_a_field_that_only_some_rows_lack_refuses_as_well(world: World) -> None:
    """An index may hold old documents beside new ones: whoever seems to have lost a value is looked at by key."""
    before = state(world)
    bob = world.links()["bob"]
    world.set_vices(
        Side.GHL, lacks={C: frozenset({"company"})}, lacking=lambda _entity, key: key == bob
    )
    with pytest.raises(Refused, match="does not carry company"):
        night(world)
    assert state(world) == before


def test_what_people_cleared_hides_no_field_that_is_not_carried() -> None:
    """Two contacts lost other values by people's hands, one of them never had a tag: that search carries no tags is seen on a third one."""
    with people(contact=frozenset()) as world:
        world.app.put(C, {"first_name": "Dee", "email": "dee@x.com"}, key="dee")
        night(world)
        world.ghl.edit(C, world.links()["ann"], {"company": None})
        world.ghl.edit(C, world.links()["dee"], {"first_name": None})
        before = state(world)
        world.set_vices(Side.GHL, lacks={C: frozenset({"tags"})})
        with pytest.raises(Refused, match="does not carry tags"):
            night(world)
        assert state(world) == before


def test_what_a_person_cleared_is_no_finding(world: World) -> None:
    """Blank in bulk and blank by key: it was cleared; it costs one or two reads."""
    for key in world.links().values():
        world.ghl.edit(C, key, {"company": None})
    spent = world.ghl.usage().requests
    assert night(world).exit_code == 0
    assert world.ghl.usage().requests - spent < 12
    assert [cells.get("company") for cells in world.cells(Side.GHL).values()] == [None] * 3


def test_a_record_that_was_edited_a_moment_ago_is_no_finding(world: World) -> None:
    """The index shows it as it was before somebody filled the field: it is taken as it is by its key."""
    ann = world.links()["ann"]
    world.ghl.edit(C, ann, {"company": None})
    world.clock.advance(5_000)
    world.set_vices(Side.GHL, lag_seconds=60.0)
    world.ghl.edit(C, ann, {"company": "New"})
    night(world)
    world.clock.advance(5_000)
    night(world)
    assert world.cells(Side.APP)["ann"]["company"] == "New"


def test_ghls_older_search_refuses_the_run(tmp_path: Path) -> None:
    """A sandbox whose search shows names in lower case alone, no birth date and no custom fields: the run names them all."""
    acme = Acme.settled(tmp_path / "acme")
    before = acme.state()
    settings = (acme.folder / SANDBOX_FILE).with_suffix(".toml")
    text = settings.read_text(encoding="utf-8")
    settings.write_text("older_search = true\n" + text, encoding="utf-8")
    with pytest.raises(
        Refused, match=r"POST /contacts/search\) does not carry .*firstName.*lastName"
    ):
        acme.run(verify="none")
    assert acme.state() == before
    settings.write_text(text, encoding="utf-8")
    assert acme.run(verify="none").told.exit_code < 2
