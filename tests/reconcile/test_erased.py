"""A record that a tombstone knows is asked about, never made unasked; everybody else travels."""

from __future__ import annotations

from reconcile.ledger import tombstones
from reconcile.model import Entity, OpKind, Side
from tests.builders import World


def bury(world: World, *traits: tombstones.Trait) -> None:
    """Remember these as an erasure does."""
    with world.ledger.transaction() as connection:
        tombstones.put(world.ledger, connection, traits, salt="s", at=world.clock())


def test_who_was_erased_is_asked_about_by_email_or_key_and_others_are_made() -> None:
    """Under a new key the email tells, under a new email the key; an answer lets the person travel."""
    with World() as world:
        app, ghl = world.app, world.ghl
        new = app.put(Entity.CONTACT, {"first_name": "Ada", "email": "Ada@X.com"})
        old = ghl.put(Entity.CONTACT, {"first_name": "Bea", "email": "other@x.com"})
        app.put(Entity.CONTACT, {"first_name": "Cid", "email": "cid@x.com"})
        bury(world, ("contact", "email", "ada@x.com"), ("contact", "ghl", old))

        first = world.run()
        asked = {(hold.kind, hold.side, hold.subject) for hold in first.holds}
        assert asked == {("erased", Side.APP, new), ("erased", Side.GHL, old)}
        reasons = sorted(hold.because for hold in first.holds)
        assert "the same email was erased" in reasons[0]
        assert "the same key was erased" in reasons[1]
        assert [create.after["first_name"] for create in first.of(OpKind.CREATE)] == ["Cid"]
        assert [hold.hold_id for hold in world.run().holds] == [h.hold_id for h in first.holds]

        world.decide(next(hold for hold in first.holds if hold.subject == new), "create")
        second = world.run()
        assert [create.source_key for create in second.of(OpKind.CREATE)] == [new]
        assert [hold.subject for hold in second.holds] == [old]


def test_a_note_of_somebody_who_was_erased_is_asked_about_by_its_key() -> None:
    """Where both sides still have the person they are linked again, and what one side lacks is asked."""
    with World() as world:
        app, ghl = world.app, world.ghl
        ada = app.put(Entity.CONTACT, {"first_name": "Ada", "email": "ada@x.com"})
        ghl.put(Entity.CONTACT, {"first_name": "Ada", "email": "ada@x.com"})
        note = app.put(Entity.NOTE, {"body": "her words"}, parent=ada)
        app.put(Entity.NOTE, {"body": "new words"}, parent=ada)
        bury(world, ("contact", "email", "ada@x.com"), ("note", "app", note))

        result = world.run()
        assert [(hold.kind, hold.subject) for hold in result.holds] == [("erased", note)]
        assert [made.after["body"] for made in result.of(OpKind.CREATE)] == ["new words"]


def test_a_tombstone_holds_no_value_and_one_salt_a_pair() -> None:
    """Remembering the same trait once more adds nothing, whatever salt is offered."""
    with World() as world, world.ledger.transaction() as connection:
        trait = ("contact", "email", "ada@x.com")
        put = [
            tombstones.put(world.ledger, connection, [trait], salt=salt, at=world.clock())
            for salt in ("one", "two")
        ]
        assert put == [1, 0]
