"""Fields in other tables: what is read where there is no row, one or several, and what a write may touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.contract import Rig, create, update
from connectors.sql import LinkSettings, SqlConnector
from reconcile.errors import ConfigError, ConnectorError
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Write
from tests.connectors.databases import fresh_database, opened, run
from tests.connectors.joined_app import CONTACT, JoinedApp, others


@pytest.fixture
def app(tmp_path: Path) -> Iterator[JoinedApp]:
    for url in fresh_database("sqlite", tmp_path):
        made = JoinedApp(url, "own_name")
        with made.engine.begin() as connection:
            others(connection, made.metadata)
        yield made


@pytest.fixture
def rig(app: JoinedApp) -> Iterator[Rig]:
    rig = app.rig()
    yield rig
    rig.connector.close()


def rows(app: JoinedApp, statement: str) -> list[tuple[Any, ...]]:
    with app.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def with_join(app: JoinedApp, name: str, **changes: Any) -> SqlConnector:
    """The connector with one join declared otherwise."""
    settings = app.settings()
    joins = {**CONTACT.joins, name: replace(CONTACT.joins[name], **changes)}
    entities = {**settings.entities, Entity.CONTACT: replace(CONTACT, joins=joins)}
    return opened(replace(settings, entities=entities), clock=app.clock)


def problems(connector: SqlConnector) -> str:
    with pytest.raises(ConfigError) as refused:
        connector.describe()
    return str(refused.value)


def test_where_there_is_no_row_there_is_a_blank_and_a_value_makes_one(
    app: JoinedApp, rig: Rig
) -> None:
    """A contact without rows beside it is read as blank; the first value makes a row with what every new row gets."""
    run(
        app.url,
        "INSERT INTO people (id, own_name, kind, tenant, made) VALUES (5, 'Ann', 'person', 7, '2026-01-01')",
    )
    before = rig.read(Entity.CONTACT, "5")
    blank = {"details.visits", "details.first_name", "meta.phone", "mail.address", "company.name"}
    assert {before.fields[name] for name in blank} == {None}
    assert [record.fields for record in rig.records(Entity.CONTACT)] == [before.fields]
    changes = {
        "details.visits": 4,
        "meta.phone": "+1202",
        "mail.address": "Ann@a.test",
        "company.name": "Beta",
    }
    assert rig.one(update(Entity.CONTACT, before, changes)).status is Status.DONE
    assert rows(app, "SELECT visits, made IS NULL FROM details WHERE person = 5") == [(4, 0)]
    assert rows(app, "SELECT name, value FROM meta WHERE person = 5") == [("phone", "+1202")]
    assert rows(app, "SELECT address, upper FROM emails WHERE id <> 'e1'") == [
        ("Ann@a.test", "ANN@A.TEST")
    ]
    assert rows(app, 'SELECT "of", main, gone FROM email_links WHERE person = 5') == [
        ("People", 1, 0)
    ]
    assert rows(app, "SELECT company FROM people WHERE id = 5") == [(2,)]


def test_a_blank_makes_no_row(app: JoinedApp, rig: Rig) -> None:
    """Clearing what has no row leaves it at that."""
    run(
        app.url,
        "INSERT INTO people (id, own_name, kind, tenant, made) VALUES (5, 'Ann', 'person', 7, '2026-01-01')",
    )
    before = rig.read(Entity.CONTACT, "5")
    clear = {"details.visits": None, "meta.phone": None, "mail.address": "", "company.name": None}
    assert rig.one(update(Entity.CONTACT, before, clear)).status is Status.DONE
    assert rows(app, "SELECT * FROM details WHERE person = 5") == []
    assert rows(app, "SELECT * FROM meta WHERE person = 5") == []
    assert rows(app, "SELECT * FROM email_links WHERE person = 5") == []


def test_every_new_contact_gets_what_the_pair_file_says(app: JoinedApp, rig: Rig) -> None:
    """Values for new rows stand in the contact's row and in those beside it, and an update never writes them again."""
    reply = rig.one(create(Entity.CONTACT, {"own_name": "Ann", "details.visits": 1}))
    assert (reply.status, reply.detail) == (Status.DONE, "")
    key = reply.key
    assert rows(app, f"SELECT kind, tenant, made IS NULL FROM people WHERE id = {key}") == [
        ("person", 7, 0)
    ]
    assert rows(app, f"SELECT name, value FROM meta WHERE person = {key}") == [("role", "customer")]
    run(
        app.url,
        f"UPDATE people SET kind = 'vip' WHERE id = {key}",
        f"DELETE FROM meta WHERE person = {key}",
    )
    again = update(Entity.CONTACT, rig.read(Entity.CONTACT, key or ""), {"own_name": "Anna"})
    assert rig.one(again).status is Status.DONE
    assert rows(app, f"SELECT kind FROM people WHERE id = {key}") == [("vip",)]
    assert rows(app, f"SELECT * FROM meta WHERE person = {key}") == []


def test_fixed_values_select(app: JoinedApp, rig: Rig) -> None:
    """A contact of another tenant is not read, and a write to it finds nothing."""
    assert rig.records(Entity.CONTACT) == []
    assert rig.connector.read(Entity.CONTACT, "1") is None
    [reply] = rig.connector.write(
        [Write("op", OpKind.UPDATE, Entity.CONTACT, "1", fields={"own_name": "x"})]
    )
    assert (reply.status, reply.code) == (Status.STALE, "NOT_FOUND")


@pytest.mark.parametrize("database", ["sqlite", "mariadb", "postgresql"])
def test_several_rows_without_a_rule_set_the_contact_aside_alone(
    database: str, tmp_path: Path
) -> None:
    """It is named with the reason, its absence means nothing, no write touches it, and all others are read."""
    for url in fresh_database(database, tmp_path):
        app = JoinedApp(url, "own_name")
        app.empty()
        rig = app.rig()
        one, two = rig.add(Entity.CONTACT, 1), rig.add(Entity.CONTACT, 2)
        seen = rig.read(Entity.CONTACT, one)
        quote = "`" if database == "mariadb" else '"'
        run(
            url,
            f"INSERT INTO email_links (id, person, email, {quote}of{quote}, main, gone, made)"
            f" VALUES ('odd', {one}, 'e1', 'People', 1, 0, '2026-01-01')",
        )
        pages, proof = rig.extraction(Entity.CONTACT)
        assert sum(page.rows for page in pages) == 1
        assert [record.key for record in rig.records(Entity.CONTACT)] == [two]
        assert not proof.complete
        reason = 'mail: several rows of email_links belong to it, and no "first" chooses'
        assert proof.quarantined == (f"people {one}: {reason}",)
        for changes in ({"mail.address": "new@a.test"}, {"own_name": "x"}):
            reply = rig.one(update(Entity.CONTACT, seen, changes))
            assert (reply.status, reply.code) == (Status.REJECTED, "SEVERAL_ROWS")
        with pytest.raises(ConnectorError, match="several rows"):
            rig.connector.read(Entity.CONTACT, one)
        assert rows(app, f"SELECT own_name FROM people WHERE id = {one}") == [("Ann1",)]
        rig.connector.close()


@pytest.mark.parametrize("database", ["sqlite", "mariadb", "postgresql"])
def test_a_rule_chooses_among_several_rows(database: str, tmp_path: Path) -> None:
    """The first row by the rule is read, in bulk as by key, and it is the one that is written; the other stays as it is."""
    for url in fresh_database(database, tmp_path):
        app = JoinedApp(url, "own_name")
        app.empty()
        rig = app.rig()
        key = rig.add(Entity.CONTACT, 1)
        run(
            url,
            f"INSERT INTO meta (number, person, name, value) VALUES (5000, {key}, 'first_name', 'Later')",
            f"INSERT INTO meta (number, person, name, value) VALUES (5001, {key}, 'phone', '+1')",
        )
        assert [r.fields["meta.first_name"] for r in rig.records(Entity.CONTACT)] == ["Meta1"]
        before = rig.read(Entity.CONTACT, key)
        assert (before.fields["meta.first_name"], before.fields["meta.phone"]) == ("Meta1", "+1")
        assert (
            rig.one(update(Entity.CONTACT, before, {"meta.first_name": "Mine"})).status
            is Status.DONE
        )
        found = rows(
            app,
            f"SELECT value FROM meta WHERE person = {key} AND name = 'first_name' ORDER BY number",
        )
        assert found == [("Mine",), ("Later",)]
        rig.connector.close()


@pytest.mark.parametrize("database", ["mariadb", "postgresql"])
def test_what_does_not_fit_one_table_undoes_the_others(database: str, tmp_path: Path) -> None:
    """A create whose company is not known, or whose row beside it is refused, leaves no row anywhere; its neighbour is done."""
    for url in fresh_database(database, tmp_path):
        app = JoinedApp(url, "own_name")
        app.empty()
        rig = app.rig()
        good, unknown, refused = (rig.sample(Entity.CONTACT, n) for n in (1, 2, 3))
        unknown["company.name"] = "Nobody knows it"
        refused["mail.address"] = "x" * 200
        writes = [
            create(Entity.CONTACT, f, op_id=str(n)) for n, f in enumerate((good, unknown, refused))
        ]
        replies = rig.write(*writes)
        assert [replies[n].status for n in "012"] == [Status.DONE, Status.REJECTED, Status.REJECTED]
        assert "no row of companies has this name" in replies["1"].detail
        assert "Nobody" not in replies["1"].detail
        assert rows(app, "SELECT own_name FROM people WHERE tenant = 7") == [("Ann1",)]
        assert rows(app, "SELECT first_name FROM details ORDER BY id") == [("Other",), ("Ann1",)]
        assert rows(app, "SELECT count(*) FROM emails") == [(1,)]
        rig.connector.close()


def test_a_row_that_others_use_is_pointed_to_and_never_changed(app: JoinedApp, rig: Rig) -> None:
    """Another email is another row; the old one, the lead's link to it and the company's name stay what they were."""
    key = rig.add(Entity.CONTACT, 1)
    before = rig.read(Entity.CONTACT, key)
    assert (
        rig.one(update(Entity.CONTACT, before, {"mail.address": "new@a.test"})).status
        is Status.DONE
    )
    assert rows(app, "SELECT address FROM emails WHERE id = 'e1'") == [("ann1@example.test",)]
    assert rows(app, "SELECT email FROM email_links WHERE id = 'l1'") == [("e1",)]
    moved = rig.read(Entity.CONTACT, key)
    assert rig.one(update(Entity.CONTACT, moved, {"company.name": "Beta"})).status is Status.DONE
    assert rows(app, "SELECT id, name FROM companies ORDER BY id") == [(1, "Acme"), (2, "Beta")]


def test_a_blank_takes_the_link_away_and_leaves_what_it_led_to(app: JoinedApp, rig: Rig) -> None:
    """Clearing an email marks the link as the pair file says; clearing a company empties the column that points to it."""
    key = rig.add(Entity.CONTACT, 1)
    before = rig.read(Entity.CONTACT, key)
    clear = update(Entity.CONTACT, before, {"mail.address": None, "company.name": None})
    assert rig.one(clear).status is Status.DONE
    assert rows(app, f"SELECT gone FROM email_links WHERE person = {key} AND id <> 'l1'") == [(1,)]
    assert rows(app, "SELECT id FROM emails") == [("e1",)]
    assert rows(app, f"SELECT company FROM people WHERE id = {key}") == [(None,)]


def test_of_several_rows_with_the_value_none_is_chosen(app: JoinedApp, rig: Rig) -> None:
    """Two companies of one name: the write is refused, and the contact keeps the one it has."""
    key = rig.add(Entity.CONTACT, 1)
    run(app.url, "INSERT INTO companies (id, name) VALUES (3, 'Beta')")
    reply = rig.one(update(Entity.CONTACT, rig.read(Entity.CONTACT, key), {"company.name": "Beta"}))
    assert (reply.status, "several rows of companies" in reply.detail) == (Status.REJECTED, True)
    assert rows(app, f"SELECT company FROM people WHERE id = {key}") == [(1,)]


def test_deleting_a_contact_takes_its_own_rows_and_links_with_it(app: JoinedApp, rig: Rig) -> None:
    """Rows and links that name it go; emails, companies, names that are not mapped and everybody else's rows stay."""
    key = rig.add(Entity.CONTACT, 1)
    run(app.url, f"INSERT INTO meta (person, name, value) VALUES ({key}, 'unknown to us', 'x')")
    [reply] = rig.connector.write([Write("op", OpKind.DELETE, Entity.CONTACT, key)])
    assert reply.status is Status.DONE
    assert rows(app, f"SELECT name FROM meta WHERE person = {key}") == [("unknown to us",)]
    assert rows(app, f"SELECT * FROM details WHERE person = {key}") == []
    # A lead of the same key: its link is another's.
    assert rows(app, f"SELECT id FROM email_links WHERE person = {key}") == [("l1",)]
    assert rows(app, "SELECT count(*) FROM emails") == [(1,)]
    assert rows(app, "SELECT count(*) FROM details") == [(1,)]


def test_a_joined_row_that_somebody_changed_is_left_alone(app: JoinedApp, rig: Rig) -> None:
    """What the plan expected is compared in every table; a version of the contact's own row is no excuse for the others."""
    key = rig.add(Entity.CONTACT, 1)
    before = rig.read(Entity.CONTACT, key)
    run(app.url, f"UPDATE meta SET value = 'theirs' WHERE person = {key} AND name = 'first_name'")
    late = replace(
        update(Entity.CONTACT, before, {"meta.first_name": "ours", "own_name": "ours"}),
        expected={"meta.first_name": "Meta1", "own_name": "Ann1"},
    )
    reply = rig.one(late)
    assert (reply.status, reply.detail) == (
        Status.STALE,
        "changed since the plan was made: meta.first_name",
    )
    assert rows(app, f"SELECT own_name FROM people WHERE id = {key}") == [("Ann1",)]


def test_a_field_that_cannot_be_written_says_so(app: JoinedApp) -> None:
    """Without find a row that others may use is only read: the description says it, and a write is refused."""
    connector = with_join(app, "company", find=None)
    described = connector.describe().fields[Entity.CONTACT]
    assert (described["company.name"].writable, described["mail.address"].writable) == (False, True)
    [reply] = connector.write([create(Entity.CONTACT, {"company.name": "Acme"})])
    assert (reply.status, 'no "find" says' in reply.detail) == (Status.REJECTED, True)


@pytest.mark.parametrize(
    ("join", "changes", "said"),
    [
        ("details", {"table": "detail"}, "there is no table or view 'detail'"),
        ("details", {"on": {"persn": "id"}}, "has no column 'persn'"),
        ("details", {"on": {"person": "idd"}}, "table 'people' has no column 'idd'"),
        ("details", {"on": {}}, "joined by on or via"),
        ("details", {"fixed": {"visits": "many"}}, "visits: expected integer"),
        ("details", {"on_create": {"mad": "now"}}, "has no column 'mad'"),
        ("details", {"first": "visits downwards"}, "is no column"),
        ("details", {"first": "vists"}, "has no column 'vists'"),
        ("details", {"create": True}, "create without find"),
        ("meta", {"value": None}, "needs both columns"),
        ("mail", {"find": "adress"}, "did you mean 'address'"),
        (
            "mail",
            {"via": LinkSettings("email_links", on={"person": "id"}, to={})},
            "needs on and to",
        ),
    ],
)
def test_what_cannot_be_found_is_told(
    app: JoinedApp, join: str, changes: dict[str, Any], said: str
) -> None:
    """Each mistake in a join is told with its place and what is near it, before anything is read."""
    told = problems(with_join(app, join, **changes))
    assert said in told
    assert f"contact: join.{join}" in told


def test_a_row_that_is_the_contacts_alone_is_changed_in_place(app: JoinedApp) -> None:
    """With own, the row that a column points to is written itself, and made where the column is empty."""
    connector = with_join(app, "company", find=None, own=True)
    [reply] = connector.write([create(Entity.CONTACT, {"own_name": "Ann", "company.name": "Mine"})])
    assert (reply.status, reply.detail) == (Status.DONE, "")
    before = connector.read(Entity.CONTACT, reply.key or "")
    assert before is not None
    [changed] = connector.write([update(Entity.CONTACT, before, {"company.name": "Mine alone"})])
    assert changed.status is Status.DONE
    assert rows(app, "SELECT name FROM companies ORDER BY id") == [
        ("Acme",),
        ("Beta",),
        ("Mine alone",),
    ]
