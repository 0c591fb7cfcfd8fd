"""SuiteCRM as people have it, by its page in the cookbook: emails behind a link table, rows marked as deleted, keys of 36 letters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.world import World, fresh

EMAILS = """
SELECT c.last_name, e.email_address, e.email_address_caps, r.bean_module, r.primary_address, r.deleted
FROM email_addr_bean_rel r JOIN email_addresses e ON e.id = r.email_address_id
LEFT JOIN contacts c ON c.id = r.bean_id ORDER BY 2, 4, 1, 6
"""
CONTACTS = """
SELECT last_name, first_name, phone_mobile, primary_address_city, deleted, created_by FROM contacts ORDER BY 1
"""
SHOWN = ("lastName", "firstName", "email", "phone", "city", "companyName")


def contact(
    key: str, last: str, first: str, *, phone: str = "", city: str = "", deleted: int = 0
) -> str:
    """Somebody of the application's."""
    return (
        "INSERT INTO contacts (id, last_name, first_name, phone_mobile, primary_address_city, deleted, created_by,"
        f" date_entered, date_modified) VALUES ('{key}', '{last}', '{first}', '{phone}', '{city}', {deleted}, 'u9',"
        " '2026-01-01', '2026-01-01')"
    )


def email(address: str, *beans: tuple[str, str, int, int]) -> list[str]:
    """An address, with whom it belongs to: (module, key, primary, deleted)."""
    key = f"e-{address}"
    return [
        f"INSERT INTO email_addresses (id, email_address, email_address_caps) VALUES ('{key}', '{address}', UPPER('{address}'))",
        *(
            "INSERT INTO email_addr_bean_rel (id, email_address_id, bean_id, bean_module, primary_address, deleted)"
            f" VALUES ('r-{bean}-{address}', '{key}', '{bean}', '{module}', {primary}, {deleted})"
            for module, bean, primary, deleted in beans
        ),
    ]


SEED = (
    contact("c1", "Abel", "Ann", phone="+12025550101", city="Rome"),
    contact("c2", "Bird", "Ben", phone="+12025550102"),
    contact("c3", "Gone", "Gil", deleted=1),
    *email("ann@a.test", ("Contacts", "c1", 1, 0)),
    *email("ann.second@a.test", ("Contacts", "c1", 0, 0)),
    *email("ben@b.test", ("Contacts", "c2", 1, 0), ("Leads", "l1", 1, 0)),
    *email("gil@g.test", ("Contacts", "c3", 1, 1)),
    *email("lead@l.test", ("Leads", "l2", 1, 0)),
    "INSERT INTO accounts (id, name) VALUES ('a1', 'Acme'), ('a2', 'Beta')",
    "INSERT INTO accounts_contacts (id, contact_id, account_id, deleted)"
    " VALUES ('x1', 'c1', 'a1', 0), ('x2', 'c1', 'a2', 1)",
    "INSERT INTO tasks (id, name, status, date_due, contact_id, deleted) VALUES"
    " ('t1', 'Call Ann', 'In Progress', '2026-03-01 09:00:00', 'c1', 0),"
    " ('t2', 'Old', 'Completed', '2026-01-01 09:00:00', 'c1', 1)",
    "INSERT INTO notes (id, name, description, contact_id, parent_type, parent_id, deleted) VALUES"
    " ('n1', 'Note', 'likes tea', 'c1', 'Contacts', 'c1', 0),"
    " ('n2', 'Note', 'of the account', NULL, 'Accounts', 'a1', 0)",
)
"""Three contacts (one of them deleted), a lead that shares an address, an account, a task, a note."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three contacts (one of them deleted), a lead that shares an address, an account, a task, a note; one contact in GHL alone."""
    for world in fresh("suitecrm", "mariadb", tmp_path):
        world.sql(*SEED)
        world.add(
            firstName="Cara",
            lastName="Cole",
            email="cara@c.test",
            phone="+12025550103",
            city="Oslo",
        )
        yield world


def test_both_sides_agree_from_the_first_night_on(world: World) -> None:
    """The first night carries contacts, tasks and notes both ways, each to the tables where SuiteCRM has them; the next one is quiet."""
    assert world.doctor() == []
    assert world.night().told.exit_code == 0
    everybody = [
        ("Abel", "Ann", "ann@a.test", "+12025550101", "Rome", "Acme"),
        ("Bird", "Ben", "ben@b.test", "+12025550102", "", ""),
        ("Cole", "Cara", "cara@c.test", "+12025550103", "Oslo", ""),
    ]
    assert world.contacts(*SHOWN) == everybody
    assert world.rows(CONTACTS) == [
        ("Abel", "Ann", "+12025550101", "Rome", 0, "u9"),
        ("Bird", "Ben", "+12025550102", "", 0, "u9"),
        ("Cole", "Cara", "+12025550103", "Oslo", 0, "1"),
        ("Gone", "Gil", "", "", 1, "u9"),
    ]
    assert ("Cole", "cara@c.test", "CARA@C.TEST", "Contacts", 1, 0) in world.rows(EMAILS)
    with world.ghl() as sandbox:
        assert [task["title"] for task in sandbox.tasks("loc1")] == ["Call Ann"]
        assert ["likes tea" in str(note["body"]) for note in sandbox.notes("loc1")] == [True]
    world.quiet()


def test_an_email_that_changes_in_ghl_leaves_the_lead_that_shares_it_alone(world: World) -> None:
    """Ben's contact is pointed to another address; the lead keeps the address that both had, and no address is changed."""
    world.night()
    before = set(world.rows("SELECT id, email_address FROM email_addresses"))
    world.edit(world.key_of("ben@b.test"), {"email": "ben.new@b.test"})
    world.edit(world.key_of("cara@c.test"), {"email": "lead@l.test", "city": "Bergen"})
    assert world.night().told.exit_code == 0
    rows = world.rows(EMAILS)
    assert [row for row in rows if row[3] == "Leads"] == [
        (None, "ben@b.test", "BEN@B.TEST", "Leads", 1, 0),
        (None, "lead@l.test", "LEAD@L.TEST", "Leads", 1, 0),
    ]
    assert {row[:2] for row in rows if row[3] == "Contacts" and row[4] and not row[5]} == {
        ("Abel", "ann@a.test"),
        ("Bird", "ben.new@b.test"),
        ("Cole", "lead@l.test"),
    }
    after = set(world.rows("SELECT id, email_address FROM email_addresses"))
    assert before <= after
    assert {address for _, address in after - before} == {"ben.new@b.test"}
    world.quiet()


def test_edits_of_both_sides_cross(world: World) -> None:
    """An address entered in SuiteCRM reaches GHL, an edit in GHL reaches SuiteCRM, in the same night."""
    world.night()
    world.sql(
        "UPDATE email_addr_bean_rel SET deleted = 1 WHERE bean_id = 'c1' AND primary_address = 1",
        *email("ann@new.test", ("Contacts", "c1", 1, 0)),
        "UPDATE contacts SET primary_address_city = 'Milan', date_modified = '2026-02-01' WHERE id = 'c1'",
    )
    world.edit(world.key_of("ben@b.test"), {"firstName": "Benno", "city": "Paris"})
    assert world.night().told.exit_code == 0
    assert ("Abel", "Ann", "ann@new.test", "+12025550101", "Milan", "Acme") in world.contacts(
        *SHOWN
    )
    assert ("Bird", "Benno", "+12025550102", "Paris", 0, "u9") in world.rows(CONTACTS)
    world.quiet()


def test_two_primary_addresses_are_set_aside_and_nobody_else(world: World) -> None:
    """A contact of whom two addresses are primary is not guessed at: it is named, stays as it is on both sides, and others go on."""
    world.night()
    world.sql(*email("ann.too@a.test", ("Contacts", "c1", 1, 0)))
    world.edit(world.key_of("ben@b.test"), {"firstName": "Benno"})
    before = world.contacts(*SHOWN)
    told = world.night().told
    assert told.exit_code == 1
    assert [row for row in world.contacts(*SHOWN) if row[0] == "Abel"] == [before[0]]
    assert ("Bird", "Benno", "+12025550102", "", 0, "u9") in world.rows(CONTACTS)
    assert len([row for row in world.rows(EMAILS) if row[0] == "Abel" and row[4]]) == 2
