"""What falls out of a join of digests is all that moved, and nothing else; what is left in may still be met by a new record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import duckdb
import pytest
import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.model import Entity, OpKind, Side
from reconcile.plan import draft
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email
from reconcile.values.jsonl import hold_from, hold_line, operation_from, operation_json
from tests.builders import World, by_email, contacts, field_of, mapping_of

ANN = {"first_name": "Ann", "email": "ann@example.com", "company": "Acme"}
BOB = {"first_name": "Bob", "email": "bob@example.com", "company": "Best"}


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Ann and Bob, linked and at rest."""
    with World() as made:
        made.app.put(Entity.CONTACT, ANN, key="1")
        made.app.put(Entity.CONTACT, BOB, key="2")
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def _moved(world: World) -> list[str]:
    with Stage(world.folder / "look", memory_limit="256MB", threads=1) as stage:
        run = world.open(stage)
        world.look(run)
        return [str(key) for (key,) in stage.rows("SELECT app_key FROM moved_contact ORDER BY 1")]


def test_nothing_moved(world: World) -> None:
    """Two records at rest are not looked at a second time once a quiet run has seen them."""
    world.run()
    assert _moved(world) == []


def test_contents_that_change_places(world: World) -> None:
    """Where two records exchange everything they hold, both have moved: the key is part of a record's digest."""
    world.run()
    world.app.put(Entity.CONTACT, BOB, key="1")
    world.app.put(Entity.CONTACT, ANN, key="2")
    assert _moved(world) == ["1", "2"]


def test_digest_of_another_record(world: World) -> None:
    """A change is seen even where another link has, by a miracle, the digest of the changed record."""
    world.run()
    world.app.put(Entity.CONTACT, {**ANN, "company": "Changed"}, key="1")
    with Stage(world.folder / "peek", memory_limit="256MB", threads=1) as stage:
        world.look(world.open(stage))
        ((changed,),) = stage.rows("SELECT digest FROM raw_contact_app WHERE key = '1'")
    forged = sa.update(schema.link).where(schema.link.c.app_key == "2").values(app_digest=changed)
    with world.ledger.transaction() as connection:
        connection.execute(forged)
    assert _moved(world) == ["1", "2"]


def test_deleted_mark_moves_a_record(world: World) -> None:
    """A record that a side marks as deleted, and that otherwise is as it was, has moved."""
    world.run()
    world.app.delete(Entity.CONTACT, "1")
    assert _moved(world) == ["1"]


def test_second_address_meets_a_linked_record() -> None:
    """C2: a new GHL contact whose additional email belongs to a linked contact of the app is a question, not a new contact."""
    email = field_of("email", Email(), also={Side.GHL: ("more",)})
    mapping = mapping_of(contacts(field_of("first_name"), email, match=(("email",),)))
    with World(mapping=mapping) as world:
        ann = {"first_name": "Ann", "email": "ann@example.com", "more": None}
        world.app.put(Entity.CONTACT, ann)
        world.ghl.put(Entity.CONTACT, ann)
        world.run()
        world.run()
        twin = {"first_name": "Anna", "email": "anna@example.com", "more": ["Ann@Example.com"]}
        world.ghl.put(Entity.CONTACT, twin)
        result = world.run()
        assert [hold.kind for hold in result.holds] == ["duplicate"]
        assert result.of(OpKind.CREATE) == []


ODD = 'He said "no"\n\tC:\\dir \x07 \x7f Zoë 😀 </script> \u2028 end'


def test_lines_made_in_sql_are_those_that_python_writes(world: World) -> None:
    """The body of a plan file is, line by line, what reconcile.values.jsonl makes of the operations and holds it describes."""
    world.app.put(Entity.CONTACT, {**ANN, "company": ODD, "tags": ["new", "x y"]}, key="1")
    world.app.put(Entity.CONTACT, {"first_name": ODD, "email": "new@example.com"})
    world.app.put(Entity.CONTACT, {**BOB, "company": "App's"}, key="2")
    world.ghl.put(
        Entity.CONTACT,
        {**BOB, "company": "GHL's"},
        key=by_email(world, Side.GHL, "bob@example.com"),
    )
    with Stage(world.folder / "lines", memory_limit="256MB", threads=1) as stage:
        world.look(world.open(stage))
        made = [json.loads(text) for text in draft.lines(stage)]
    operations = [operation_from(line) for line in made if "hold" not in line]
    assert {operation.kind for operation in operations} == {
        OpKind.UPDATE,
        OpKind.CREATE,
        OpKind.ADD_TAGS,
    }
    assert ODD in [value for operation in operations for value in operation.after.values()]
    assert [json.loads(operation_json(operation)) for operation in operations] == made[
        : len(operations)
    ]
    holds = [hold_from(line["hold"]) for line in made[len(operations) :]]
    assert [json.loads(hold_line(hold)) for hold in holds] == made[len(operations) :]
    assert {dataclasses.astuple(operation)[0] for operation in operations} == {
        line["op_id"] for line in made if "hold" not in line
    }


def test_fault_leaves_the_stage_usable(world: World) -> None:
    """After a fault inside a transaction nothing of it stands, and the stage still answers."""
    with Stage(world.folder / "faulty", memory_limit="256MB", threads=1) as stage:
        with pytest.raises(duckdb.Error), stage.transaction():
            stage.run("CREATE TABLE made (n INTEGER); SELECT nothing FROM nowhere")
        assert stage.count("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'made'") == 0
