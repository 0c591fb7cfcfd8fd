"""Applications as people have them, each by its page in the cookbook: the first night, edits of both sides, and a quiet night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.apps import seeds
from tests.apps.world import World, fresh

Rows = list[tuple[Any, ...]]
CARA = {"firstName": "Cara", "lastName": "Cole", "email": "cara@c.test"}


@dataclass(frozen=True, slots=True)
class Application:
    """What one holds before, what is looked at afterwards, and what has to be there.

    `seed`: Ann, who is edited in the application, Ben, who is edited in GHL, and what is not ours. `cara`: the contact that GHL alone
    has. `look`: a statement per thing to compare. `first`, `last`: what they give after the first and the last night. `ghl`: the
    fields of GHL's contacts that are compared; `edit` is the application's own, `ghl_edit` GHL's edit of Ben.
    """

    server: str
    seed: tuple[str, ...]
    cara: Mapping[str, Any]
    look: Mapping[str, str]
    first: Mapping[str, Rows]
    ghl: tuple[str, ...]
    ghl_first: Rows
    edit: tuple[str, ...]
    ghl_edit: Mapping[str, Any]
    last: Mapping[str, Rows]
    ghl_last: Rows
    tasks: tuple[str, ...] = ()
    notes: int = 0
    tags: Mapping[str, list[str]] = field(default_factory=dict)


CHATWOOT = Application(
    server="postgresql",
    seed=(
        "INSERT INTO accounts VALUES (1, 'Ours', now(), now()), (2, 'Theirs', now(), now())",
        "INSERT INTO contacts (id, name, last_name, email, phone_number, account_id, country_code, created_at, updated_at) VALUES"
        " (101, 'Ann', 'Abel', 'ann@a.test', '+12025550101', 1, 'US', '2026-01-01', '2026-01-01'),"
        " (102, 'Ben', 'Bird', 'ben@b.test', NULL, 1, 'US', '2026-01-01', '2026-01-01'),"
        " (103, 'Ann', 'Abel', 'ann@a.test', NULL, 2, '', '2026-01-01', '2026-01-01')",
        "INSERT INTO tags (id, name, taggings_count) VALUES (101, 'vip', 2), (102, 'billing', 1)",
        "INSERT INTO taggings (tag_id, taggable_type, taggable_id, context, created_at) VALUES"
        " (101, 'Contact', 101, 'labels', now()), (102, 'Conversation', 101, 'labels', now()), (101, 'Conversation', 102, 'labels', now())",
        "INSERT INTO notes (content, account_id, contact_id, created_at, updated_at) VALUES"
        " ('likes tea', 1, 101, now(), now()), ('of another account', 2, 103, now(), now())",
    ),
    cara={**CARA, "tags": ["vip", "new lead"]},
    look={
        "contacts": "SELECT name, last_name, email, phone_number, account_id, contact_type FROM contacts ORDER BY account_id, email",
        "labels": "SELECT c.email, t.name, g.taggable_type, g.created_at IS NULL FROM taggings g JOIN tags t ON t.id = g.tag_id"
        " JOIN contacts c ON c.id = g.taggable_id ORDER BY 3, 1, 2",
    },
    first={
        "contacts": [
            ("Ann", "Abel", "ann@a.test", "+12025550101", 1, 0),
            ("Ben", "Bird", "ben@b.test", None, 1, 0),
            ("Cara", "Cole", "cara@c.test", None, 1, 1),
            ("Ann", "Abel", "ann@a.test", None, 2, 0),
        ],
        "labels": [
            ("ann@a.test", "vip", "Contact", False),
            ("cara@c.test", "new lead", "Contact", False),
            ("cara@c.test", "vip", "Contact", False),
            ("ann@a.test", "billing", "Conversation", False),
            ("ben@b.test", "vip", "Conversation", False),
        ],
    },
    ghl=("firstName", "email", "phone"),
    ghl_first=[
        ("Ann", "ann@a.test", "+12025550101"),
        ("Ben", "ben@b.test", ""),
        ("Cara", "cara@c.test", ""),
    ],
    edit=("UPDATE contacts SET name = 'Anna', updated_at = now() WHERE id = 101",),
    ghl_edit={"phone": "+12025550102"},
    last={
        "contacts": [
            ("Anna", "Abel", "ann@a.test", "+12025550101", 1, 0),
            ("Ben", "Bird", "ben@b.test", "+12025550102", 1, 0),
            ("Cara", "Cole", "cara@c.test", None, 1, 1),
            ("Ann", "Abel", "ann@a.test", None, 2, 0),
        ],
    },
    ghl_last=[
        ("Anna", "ann@a.test", "+12025550101"),
        ("Ben", "ben@b.test", "+12025550102"),
        ("Cara", "cara@c.test", ""),
    ],
    notes=1,
    tags={"ann@a.test": ["vip"], "cara@c.test": ["new lead", "vip"]},
)

_WORKSPACE = "workspace_3ixj3i1a5avy16ptijtb3lae3"
_ANN, _BEN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
_CALL, _OTHER = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
TWENTY = Application(
    server="postgresql",
    seed=(
        f"SET search_path TO {_WORKSPACE}, public",
        f"INSERT INTO company (id, name) VALUES ('{_OTHER}', 'Acme')",
        'INSERT INTO person (id, "nameFirstName", "nameLastName", "emailsPrimaryEmail", city, "companyId", "deletedAt") VALUES'
        f" ('{_ANN}', 'Ann', 'Abel', 'ann@a.test', 'Rome', '{_OTHER}', NULL),"
        f" ('{_BEN}', 'Ben', 'Bird', 'ben@b.test', '', NULL, NULL),"
        " (public.uuid_generate_v4(), 'Gone', 'Gil', 'gil@g.test', '', NULL, now())",
        f"INSERT INTO task (id, title, \"dueAt\", status) VALUES ('{_CALL}', 'Call Ann', '2026-03-01 09:00+00', 'IN_PROGRESS'),"
        f" ('{_OTHER}', 'Of the company', '2026-03-01 09:00+00', 'TODO')",
        f"INSERT INTO \"taskTarget\" (\"taskId\", \"personId\", \"companyId\") VALUES ('{_CALL}', '{_ANN}', NULL), ('{_OTHER}', NULL, '{_OTHER}')",
    ),
    cara={**CARA, "city": "Oslo"},
    look={
        "people": 'SELECT "nameFirstName", "nameLastName", "emailsPrimaryEmail", city, "createdBySource"::text, "companyId" IS NULL'
        f' FROM {_WORKSPACE}.person WHERE "deletedAt" IS NULL ORDER BY 3',
        "tasks": f"SELECT title, status::text FROM {_WORKSPACE}.task ORDER BY title",
    },
    first={
        "people": [
            ("Ann", "Abel", "ann@a.test", "Rome", "MANUAL", False),
            ("Ben", "Bird", "ben@b.test", "", "MANUAL", True),
            ("Cara", "Cole", "cara@c.test", "Oslo", "API", True),
        ],
        "tasks": [("Call Ann", "IN_PROGRESS"), ("Of the company", "TODO")],
    },
    ghl=("firstName", "email", "city", "companyName"),
    ghl_first=[
        ("Ann", "ann@a.test", "Rome", "Acme"),
        ("Ben", "ben@b.test", "", ""),
        ("Cara", "cara@c.test", "Oslo", ""),
    ],
    edit=(
        f"UPDATE {_WORKSPACE}.person SET city = 'Milan', \"updatedAt\" = now() WHERE id = '{_ANN}'",
        f"UPDATE {_WORKSPACE}.company SET name = 'Acme Inc'",
    ),
    ghl_edit={"city": "Paris"},
    last={
        "people": [
            ("Ann", "Abel", "ann@a.test", "Milan", "MANUAL", False),
            ("Ben", "Bird", "ben@b.test", "Paris", "MANUAL", True),
            ("Cara", "Cole", "cara@c.test", "Oslo", "API", True),
        ],
    },
    ghl_last=[
        ("Ann", "ann@a.test", "Milan", "Acme Inc"),
        ("Ben", "ben@b.test", "Paris", ""),
        ("Cara", "cara@c.test", "Oslo", ""),
    ],
    tasks=("Call Ann",),
)

DOLIBARR = Application(
    server="mariadb",
    seed=(
        "INSERT INTO llx_c_country (rowid, code, label) VALUES (1, 'FR', 'France'), (3, 'IT', 'Italy'), (35, 'NO', 'Norway')",
        "INSERT INTO llx_societe (rowid, nom) VALUES (5, 'Acme')",
        "INSERT INTO llx_socpeople (rowid, firstname, lastname, email, town, fk_pays, fk_soc, entity, tms) VALUES"
        " (101, 'Ann', 'Abel', 'ann@a.test', 'Rome', 3, 5, 1, '2026-01-01'), (102, 'Ben', 'Bird', 'ben@b.test', NULL, 1, NULL, 1, '2026-01-01'),"
        " (103, 'Ann', 'Abel', 'ann@a.test', 'Nice', 1, NULL, 2, '2026-01-01')",
        "INSERT INTO llx_categorie (rowid, label, type) VALUES (7, 'vip', 4), (8, 'new lead', 0)",
        "INSERT INTO llx_categorie_contact (fk_categorie, fk_socpeople) VALUES (7, 101)",
    ),
    cara={**CARA, "city": "Oslo", "country": "NO", "tags": ["vip", "new lead"]},
    look={
        "people": "SELECT firstname, email, town, fk_pays, fk_soc, entity, datec IS NULL FROM llx_socpeople ORDER BY entity, email",
        "categories": "SELECT p.email, c.label, c.type, c.date_creation IS NULL FROM llx_categorie_contact l JOIN llx_categorie c"
        " ON c.rowid = l.fk_categorie JOIN llx_socpeople p ON p.rowid = l.fk_socpeople ORDER BY 1, 2",
        "countries": "SELECT code FROM llx_c_country ORDER BY 1",
    },
    first={
        "people": [
            ("Ann", "ann@a.test", "Rome", 3, 5, 1, 1),
            ("Ben", "ben@b.test", None, 1, None, 1, 1),
            ("Cara", "cara@c.test", "Oslo", 35, None, 1, 0),
            ("Ann", "ann@a.test", "Nice", 1, None, 2, 1),
        ],
        "categories": [
            ("ann@a.test", "vip", 4, 1),
            ("cara@c.test", "new lead", 4, 0),
            ("cara@c.test", "vip", 4, 1),
        ],
        "countries": [("FR",), ("IT",), ("NO",)],
    },
    ghl=("firstName", "email", "city", "country", "companyName"),
    ghl_first=[
        ("Ann", "ann@a.test", "Rome", "IT", "Acme"),
        ("Ben", "ben@b.test", "", "FR", ""),
        ("Cara", "cara@c.test", "Oslo", "NO", ""),
    ],
    edit=("UPDATE llx_socpeople SET fk_pays = 1, town = 'Lyon' WHERE rowid = 101",),
    ghl_edit={"city": "Bergen", "country": "NO"},
    last={
        "people": [
            ("Ann", "ann@a.test", "Lyon", 1, 5, 1, 1),
            ("Ben", "ben@b.test", "Bergen", 35, None, 1, 1),
            ("Cara", "cara@c.test", "Oslo", 35, None, 1, 0),
            ("Ann", "ann@a.test", "Nice", 1, None, 2, 1),
        ],
    },
    ghl_last=[
        ("Ann", "ann@a.test", "Lyon", "FR", "Acme"),
        ("Ben", "ben@b.test", "Bergen", "NO", ""),
        ("Cara", "cara@c.test", "Oslo", "NO", ""),
    ],
    tags={"ann@a.test": ["vip"], "ben@b.test": [], "cara@c.test": ["new lead", "vip"]},
)

ODOO = Application(
    server="postgresql",
    seed=seeds.ODOO,
    cara={**CARA, "city": "Oslo", "country": "NO", "tags": ["vip", "new lead"]},
    look={
        "people": "SELECT name, complete_name, email_normalized, city, country_id, parent_id, type, is_company, active"
        " FROM res_partner ORDER BY email",
        "categories": "SELECT p.email, c.name->>'en_US' FROM res_partner_res_partner_category_rel l"
        " JOIN res_partner_category c ON c.id = l.category_id JOIN res_partner p ON p.id = l.partner_id ORDER BY 1, 2",
        "tasks": "SELECT name, state, partner_id FROM project_task ORDER BY id",
    },
    first={
        "people": [
            ("Ann Abel", "Acme, Ann Abel", "ann@a.test", "Rome", 109, 102, "contact", False, True),
            ("Ben Bird", "Ben Bird", "ben@b.test", None, 75, None, "contact", False, True),
            (None, "Acme, Invoice", "bills@acme.test", "Bari", 109, 102, "invoice", False, True),
            ("Cara Cole", "Cara Cole", "cara@c.test", "Oslo", 163, None, "contact", False, True),
            ("Gil Gone", "Gil Gone", "gil@g.test", None, None, None, "contact", False, False),
            ("Acme", "Acme", None, None, None, None, "contact", True, True),
            ("Ours", "Ours", None, None, None, None, "contact", True, True),
        ],
        "categories": [
            ("ann@a.test", "vip"),
            ("cara@c.test", "new lead"),
            ("cara@c.test", "vip"),
            ("info@acme.test", "goods"),
        ],
        "tasks": [("Call Ann", "01_in_progress", 111), ("Within", "1_done", None)],
    },
    ghl=("firstName", "email", "city", "state", "country", "companyName"),
    ghl_first=[
        ("Ann", "ann@a.test", "Rome", "Roma", "IT", "Acme"),
        ("Ben", "ben@b.test", "", "", "FR", ""),
        ("Cara", "cara@c.test", "Oslo", "", "NO", ""),
    ],
    edit=(
        "UPDATE res_partner SET city = 'Milan', state_id = NULL, write_date = now() WHERE id = 111",
    ),
    ghl_edit={"city": "Bergen", "country": "NO"},
    last={
        "people": [
            ("Ann Abel", "Acme, Ann Abel", "ann@a.test", "Milan", 109, 102, "contact", False, True),
            ("Ben Bird", "Ben Bird", "ben@b.test", "Bergen", 163, None, "contact", False, True),
            (None, "Acme, Invoice", "bills@acme.test", "Bari", 109, 102, "invoice", False, True),
            ("Cara Cole", "Cara Cole", "cara@c.test", "Oslo", 163, None, "contact", False, True),
            ("Gil Gone", "Gil Gone", "gil@g.test", None, None, None, "contact", False, False),
            ("Acme", "Acme", None, None, None, None, "contact", True, True),
            ("Ours", "Ours", None, None, None, None, "contact", True, True),
        ],
    },
    ghl_last=[
        ("Ann", "ann@a.test", "Milan", "Roma", "IT", "Acme"),
        ("Ben", "ben@b.test", "Bergen", "", "NO", ""),
        ("Cara", "cara@c.test", "Oslo", "", "NO", ""),
    ],
    tasks=("Call Ann",),
    tags={"ann@a.test": ["vip"], "ben@b.test": [], "cara@c.test": ["new lead", "vip"]},
)

SHOPWARE = Application(
    server="mariadb",
    seed=seeds.SHOPWARE,
    cara={**CARA, "city": "Oslo"},
    look={
        "customers": "SELECT IF(customer_number = HEX(id), 'its key', customer_number), first_name, email, default_billing_address_id ="
        " default_shipping_address_id, LENGTH(id), HEX(sales_channel_id) FROM customer ORDER BY email",
        "addresses": "SELECT c.email, a.id = c.default_billing_address_id, a.first_name, street, zipcode, city, phone_number FROM customer_address a"
        " JOIN customer c ON c.id = a.customer_id ORDER BY 1, 4",
        "tags": "SELECT c.email, t.name, LENGTH(t.id), t.created_at > '2026-01-01' FROM customer_tag l JOIN tag t ON t.id = l.tag_id"
        " JOIN customer c ON c.id = l.customer_id ORDER BY 1, 2",
    },
    first={
        "customers": [
            ("10001", "Ann", "ann@a.test", 0, 16, f"018{5:029X}"),
            ("10002", "Ben", "ben@b.test", 1, 16, f"018{5:029X}"),
            ("its key", "Cara", "cara@c.test", 1, 16, f"018{5:029X}"),
        ],
        "addresses": [
            ("ann@a.test", 0, "Ann", "Am Lager 2", "10115", "Berlin", None),
            ("ann@a.test", 1, "Ann", "Via 1", "00184", "Rome", "+12025550101"),
            ("ben@b.test", 1, "Ben", "Weg 3", "10117", "Berlin", None),
            ("cara@c.test", 1, "Cara", "", None, "Oslo", None),
        ],
        "tags": [("ann@a.test", "vip", 16, 0)],
    },
    ghl=("firstName", "email", "city", "address1", "phone"),
    ghl_first=[
        ("Ann", "ann@a.test", "Rome", "Via 1", "+12025550101"),
        ("Ben", "ben@b.test", "Berlin", "Weg 3", ""),
        ("Cara", "cara@c.test", "Oslo", "", ""),
    ],
    edit=("UPDATE customer_address SET city = 'Milan' WHERE city = 'Rome'",),
    ghl_edit={"city": "Bonn", "phone": "+12025550102", "tags": ["new lead"]},
    last={
        "addresses": [
            ("ann@a.test", 0, "Ann", "Am Lager 2", "10115", "Berlin", None),
            ("ann@a.test", 1, "Ann", "Via 1", "00184", "Milan", "+12025550101"),
            ("ben@b.test", 1, "Ben", "Weg 3", "10117", "Bonn", "+12025550102"),
            ("cara@c.test", 1, "Cara", "", None, "Oslo", None),
        ],
        "tags": [("ann@a.test", "vip", 16, 0), ("ben@b.test", "new lead", 16, 1)],
    },
    ghl_last=[
        ("Ann", "ann@a.test", "Milan", "Via 1", "+12025550101"),
        ("Ben", "ben@b.test", "Bonn", "Weg 3", "+12025550102"),
        ("Cara", "cara@c.test", "Oslo", "", ""),
    ],
    tags={"ann@a.test": ["vip"]},
)

APPLICATIONS = {
    "chatwoot": CHATWOOT,
    "twenty": TWENTY,
    "dolibarr": DOLIBARR,
    "odoo": ODOO,
    "shopware": SHOPWARE,
}


@pytest.fixture(params=APPLICATIONS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Application]]:
    """The application with Ann and Ben, and GHL with Cara."""
    application = APPLICATIONS[request.param]
    for world in fresh(request.param, application.server, tmp_path):
        world.sql(*application.seed)
        world.add(**application.cara)
        yield world, application


def test_an_application_agrees_with_ghl_from_the_first_night_on(
    case: tuple[World, Application],
) -> None:
    """Doctor finds nothing, both sides hold all three after the first night, edits cross in the second, the third is quiet; what is not ours stays."""
    world, application = case
    assert world.doctor() == []
    assert world.night().told.exit_code == 0
    assert {name: world.rows(said) for name, said in application.look.items()} == dict(
        application.first
    )
    assert world.contacts(*application.ghl) == application.ghl_first
    with world.ghl() as sandbox:
        assert tuple(task["title"] for task in sandbox.tasks("loc1")) == application.tasks
        assert len(sandbox.notes("loc1")) == application.notes
        tags = {str(one["email"]): sorted(one["tags"]) for one in sandbox.contacts("loc1")}
    assert {email: tags[email] for email in application.tags} == dict(application.tags)
    world.quiet()
    world.sql(*application.edit)
    world.edit(world.key_of("ben@b.test"), application.ghl_edit)
    assert world.night().told.exit_code == 0
    looked = {name: world.rows(said) for name, said in application.look.items()}
    assert looked == {**application.first, **application.last}
    assert world.contacts(*application.ghl) == application.ghl_last
    world.quiet()
