"""Values that change places among rows of a database whose columns are UNIQUE: written in order, or asked about, and never lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.memory import Killed
from connectors.sql import SqlSettings, TableSettings
from connectors.sql.engine import database_url
from flows.outcome.tell import exit_code
from reconcile.model import Entity, Side, Status
from reconcile.ports import Reply, Write
from reconcile.report.document import document
from reconcile.values.codecs import Email, Name, Phone
from tests.builders import World, contacts, field_of, mapping_of
from tests.builders_world import seen
from tests.connectors.databases import opened, run
from tests.long_forms import tried

C = Entity.CONTACT
SERVERS = ("sqlite", "postgresql", "mariadb")
PEOPLE = ("ann", "bob", "cyd")
PHONES = ("+14155550101", "+14155550102", "+14155550103")


@dataclass
class Dying:
    """A connector whose process is killed at one of its writes."""

    inner: Any
    left: int = 10**9
    when: str = "after"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Each write by itself, until it is the one."""
        for write in writes:
            self.left -= 1
            if self.left == 0 and self.when == "before":
                raise Killed
            yield from self._carried_out(write)

    def _carried_out(self, write: Write) -> Iterator[Reply]:
        replies = list(self.inner.write([write]))
        if self.left == 0:
            raise Killed
        yield from replies


def _world(url: str, *, nullable: bool) -> World:
    """Three people in a table whose email and phone are UNIQUE, each linked with GHL's."""
    null = "" if nullable else "NOT NULL"
    run(
        url,
        f"CREATE TABLE people (id VARCHAR(40) PRIMARY KEY, name VARCHAR(80), "
        f"email VARCHAR(120) {null} UNIQUE, phone VARCHAR(40) {null} UNIQUE)",
        *(
            f"INSERT INTO people VALUES ('{name}', '{name.title()}', '{name}@x.com', '{phone}')"
            for name, phone in zip(PEOPLE, PHONES, strict=True)
        ),
    )
    settings = SqlSettings(url, {C: TableSettings("people")})
    people = contacts(
        field_of("email", Email()),
        field_of("phone", Phone(region="US")),
        field_of("name", Name()),
    )
    world = World(mapping=mapping_of(people), whole=True, limits={"max_first_creates": 100})
    world.ghl._fields[C]["name"] = world.ghl._fields[C]["company"]
    world.sides[Side.APP] = Dying(opened(settings))  # type: ignore[assignment]
    world.run()
    world.run()
    return world


def _rows(url: str) -> dict[str, tuple[str | None, str | None]]:
    """(email, phone) by key."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, email, phone FROM people")).all()
    return {str(row.id): (row.email, row.phone) for row in rows}


def _pass_on(world: World, field: str, **takers: str) -> None:
    """In GHL each of these people gets the value that another one has."""
    links = world.links()
    now = {name: world.cells(Side.GHL)[links[name]][field] for name in PEOPLE}
    for taker, giver in takers.items():
        world.ghl.edit(C, links[taker], {field: now[giver]})
    world.clock.advance(3600)


def _wanted(world: World) -> dict[str, tuple[str | None, str | None]]:
    """What GHL has, by the app's key."""
    cells = world.cells(Side.GHL)
    return {
        app_key: (cells[ghl_key].get("email"), cells[ghl_key].get("phone"))
        for app_key, ghl_key in world.links().items()
    }


SWAP: dict[str, Any] = {"field": "email", "ann": "bob", "bob": "ann"}
ROTATE: dict[str, Any] = {"field": "phone", "ann": "bob", "bob": "cyd", "cyd": "ann"}
RINGS = {"swap": SWAP, "rotate": ROTATE}


def _both(world: World) -> None:
    _pass_on(world, **SWAP)
    _pass_on(world, **ROTATE)


def test_values_that_change_places_are_written_in_order(anywhere: str) -> None:
    """Two people swap emails and three pass on their phones: one run brings all of it into the UNIQUE columns, without a refusal."""
    with _world(anywhere, nullable=True) as world:
        _both(world)
        result = world.run()
        assert {(o.status, o.code) for o in result.outcomes} == {(Status.DONE, "")}
        assert _rows(anywhere) == _wanted(world)
        assert not world.plan().writes


@pytest.mark.parametrize("anywhere", tried(SERVERS, ["postgresql"]), indirect=True)
def test_a_ring_that_is_killed_at_any_write_is_completed(anywhere: str) -> None:
    """Whatever was cleared when the run died is set by the next one, at each of its writes; no value is lost."""
    with _world(anywhere, nullable=True) as world:
        app: Any = world.sides[Side.APP]
        for at, when in [(1, "before"), (1, "after"), (2, "after"), (3, "after"), (4, "after")]:
            _pass_on(world, **ROTATE)
            app.left, app.when = at, when
            with pytest.raises(Killed):
                world.run()
            app.left = 10**9
            world.reopen()
            world.clock.advance(3600)
            assert not world.run().holds
            assert _rows(anywhere) == _wanted(world), (at, when)
            assert sorted(str(phone) for _, phone in _rows(anywhere).values()) == sorted(PHONES)


@pytest.mark.parametrize(
    ("anywhere", "ring"),
    tried(list(product(SERVERS, RINGS)), [("sqlite", "swap"), ("mariadb", "rotate")]),
    indirect=["anywhere"],
)
def test_where_no_value_may_be_blank_a_ring_is_a_question(anywhere: str, ring: str) -> None:
    """In columns that are NOT NULL, too, a ring is refused once, then asked about with both records, and the nights are quiet."""
    change = RINGS[ring]
    field = str(change["field"])
    with _world(anywhere, nullable=False) as world:
        before = _rows(anywhere)
        _pass_on(world, **change)
        world.ghl.edit(C, world.links()["ann"], {"name": "Anna"})
        codes = []
        for _ in range(4):
            with seen(world) as found:
                codes.append(
                    exit_code("settled", document(found.stage, world.mapping, found.about))
                )
            world.clock.advance(3600)
        assert codes == [2, 1, 1, 1]
        assert _rows(anywhere) == before
        result = world.run()
        assert not result.writes
        holds = {str(hold.app_key): hold for hold in result.holds}
        assert holds.keys() == change.keys() - {"field"}
        for taker, hold in holds.items():
            assert (hold.kind, hold.field) == ("refused", field)
            assert hold.values["other_app_key"] == change[taker]
        _free_by_hand(anywhere, field, _wanted(world))
        assert not world.run().holds
        assert _rows(anywhere) == _wanted(world)
        assert not world.plan().writes


def _free_by_hand(url: str, field: str, wanted: dict[str, tuple[str | None, str | None]]) -> None:
    """Somebody puts it right in the app, by way of values that nobody has."""
    place = ("email", "phone").index(field)
    detours = [
        f"UPDATE people SET {field} = '{key}-meanwhile' WHERE id = '{key}'" for key in wanted
    ]
    ends = [
        f"UPDATE people SET {field} = '{row[place]}' WHERE id = '{key}'"
        for key, row in wanted.items()
    ]
    run(url, *detours, *ends)
