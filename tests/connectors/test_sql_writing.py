"""How the SQL connector writes: each write judged alone, nothing lost, nothing said that is not so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.contract import create
from connectors.sql import SqlConnector, SqlSettings, TableSettings, TagSettings
from connectors.sql.engine import database_url
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Reply, Write
from tests.connectors.databases import opened, run
from tests.connectors.test_sql_reading import kill_others

CONTACT = Entity.CONTACT
NOW = "2026-05-06T07:08:09Z"


def serial(url: str) -> str:
    """How a database spells a key that it makes itself."""
    return {
        "sqlite": "id INTEGER PRIMARY KEY",
        "postgresql": "id SERIAL PRIMARY KEY",
        "mariadb": "id INTEGER AUTO_INCREMENT PRIMARY KEY",
    }[database_url(url).get_backend_name()]


def connector(
    url: str, *, sleep: Any = None, lock_seconds: int = 10, **declared: Any
) -> SqlConnector:
    settings = SqlSettings(
        url, {CONTACT: TableSettings("contacts", **declared)}, lock_seconds=lock_seconds
    )
    return opened(settings, clock=lambda: NOW, sleep=sleep or (lambda _: None))


def add(fields: Mapping[str, Json], op_id: str = "op") -> Write:
    return create(CONTACT, fields, op_id=op_id)


def change(key: str | None, fields: Mapping[str, Json], op_id: str = "op", **guards: Any) -> Write:
    return Write(op_id, OpKind.UPDATE, CONTACT, key, fields=fields, **guards)


def one(side: SqlConnector, write: Write) -> Reply:
    [reply] = side.write([write])
    return reply


def held(url: str, what: str = "*") -> list[tuple[Any, ...]]:
    """What the table holds, read past the connector."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(f"SELECT {what} FROM contacts ORDER BY 1")
        ]


# Rights.


@pytest.fixture
def writer(postgresql: str) -> Iterator[str]:
    """The database for a role that may read, add and change contacts, and nothing else."""
    run(
        postgresql,
        "CREATE TABLE contacts (id SERIAL PRIMARY KEY, name TEXT)",
        "INSERT INTO contacts (name) VALUES ('Ann')",
        "DROP ROLE IF EXISTS ghl_test_writer",
        "CREATE ROLE ghl_test_writer LOGIN",
        "GRANT SELECT, INSERT, UPDATE ON contacts TO ghl_test_writer",
    )
    url = database_url(postgresql).set(username="ghl_test_writer")
    yield url.render_as_string(hide_password=False)
    run(postgresql, "DROP OWNED BY ghl_test_writer", "DROP ROLE ghl_test_writer")


def test_writing_needs_insert_update_and_delete(postgresql: str, writer: str) -> None:
    """Each right is for its kind of write, a `serial` key needs USAGE on its sequence, and no other right is asked for."""
    side = connector(writer)
    side.describe()
    delete = Write("op", OpKind.DELETE, CONTACT, "1")
    assert one(side, change("1", {"name": "Anna"})).status is Status.DONE
    assert one(side, add({"name": "Bea"})).status is Status.REJECTED
    run(postgresql, "GRANT USAGE ON SEQUENCE contacts_id_seq TO ghl_test_writer")
    assert one(side, add({"name": "Bea"})).status is Status.DONE
    assert one(side, delete).status is Status.REJECTED
    run(postgresql, "GRANT DELETE ON contacts TO ghl_test_writer")
    assert one(side, delete).status is Status.DONE
    assert held(postgresql, "name") == [("Bea",)]


# Refusals.


def test_a_duplicate_names_the_record_that_exists(anywhere: str) -> None:
    """A create that violates a unique constraint is DUPLICATE with the other record's key, and shows no value."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, email VARCHAR(50) NOT NULL, CONSTRAINT one_email UNIQUE (email))",
    )
    side = connector(anywhere)
    first = one(side, add({"email": "ann@example.test"}))
    second = one(side, add({"email": "ann@example.test"}))
    assert (second.status, second.code, second.key) == (Status.REJECTED, "DUPLICATE", first.key)
    assert "email" in second.detail
    assert "ann@" not in second.detail
    assert len(held(anywhere)) == 1


def test_the_constraint_is_named_and_no_value_shown(anywhere: str) -> None:
    """Check, not-null and foreign key violations say which constraint or column, and nothing of the person."""
    run(
        anywhere,
        "CREATE TABLE firms (id INTEGER PRIMARY KEY)",
        f"CREATE TABLE contacts ({serial(anywhere)}, born DATE NOT NULL, visits INTEGER, firm INTEGER,"
        " CONSTRAINT some_visits CHECK (visits > 0), CONSTRAINT known_firm FOREIGN KEY (firm) REFERENCES firms (id))",
    )
    side = connector(anywhere)
    unchecked = one(side, add({"born": "1999-01-02", "visits": -987654}))
    homeless = one(side, add({"born": "1999-01-02", "firm": 987654}))
    unborn = one(side, add({"visits": 987654}))
    for reply, named in ((unchecked, "some_visits"), (homeless, ""), (unborn, "born")):
        assert (reply.status, reply.code) == (Status.REJECTED, "CONSTRAINT")
        assert named in reply.detail
        assert "987654" not in reply.detail
    assert held(anywhere) == []


def test_bad_records_in_a_batch_are_rejected_alone(anywhere: str) -> None:
    """Of two hundred creates in one transaction three are refused by the database, and 197 are there."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, visits INTEGER, CONSTRAINT few CHECK (visits < 1000))",
    )
    bad = {0, 77, 199}
    writes = [
        add({"visits": 5000 if number in bad else number}, str(number)) for number in range(200)
    ]
    replies = {reply.op_id: reply for reply in connector(anywhere).write(writes)}
    assert {
        int(op_id) for op_id, reply in replies.items() if reply.status is Status.REJECTED
    } == bad
    assert len(held(anywhere)) == 197


def test_a_constraint_checked_at_commit_rejects_its_write_alone(postgresql: str) -> None:
    """A deferred constraint that fails at commit undoes its own write and no other."""
    run(
        postgresql,
        "CREATE TABLE firms (id INTEGER PRIMARY KEY)",
        "CREATE TABLE contacts (id SERIAL PRIMARY KEY, firm INTEGER REFERENCES firms DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO firms VALUES (1)",
    )
    writes = [add({"firm": firm}, str(number)) for number, firm in enumerate((1, 2, 1))]
    replies = {reply.op_id: reply for reply in connector(postgresql).write(writes)}
    assert [replies[op_id].status for op_id in "012"] == [Status.DONE, Status.REJECTED, Status.DONE]
    assert "contacts_firm_fkey" in replies["1"].detail
    assert [firm for _, firm in held(postgresql)] == [1, 1]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("visits", "many", "integer"),
        ("visits", 1.5, "whole number"),
        ("visits", 2**70, "64 bits"),
        ("visits", ["many"], "number"),
        ("born", "yesterday", "date"),
        ("seen", "soon", "instant"),
        ("consent", "perhaps", "true or false"),
        ("balance", "NaN", "finite"),
        ("name", "x" * 21, "20 characters"),
        ("name", "\ud800", "Unicode"),
        ("nothing", "x", "no such column"),
    ],
)
def test_a_value_that_does_not_fit_is_rejected_with_its_field(
    anywhere: str, field: str, value: Json, why: str
) -> None:
    """The column is named and what it takes; a value is never cut, rounded or guessed."""
    moment = "TIMESTAMP" if anywhere.startswith("postgresql") else "DATETIME"
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(20), visits INTEGER, born DATE, seen {moment},"
        " consent BOOLEAN, balance NUMERIC(9,2))",
    )
    reply = one(connector(anywhere), add({field: value}))
    assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
    assert reply.detail.startswith(field)
    assert why in reply.detail


def test_no_value_is_cut_by_a_lenient_server(mariadb: str) -> None:
    """A MariaDB server without strict mode would cut or zero a value silently; the connector's session refuses it."""
    run(
        mariadb,
        "CREATE TABLE contacts (id INTEGER AUTO_INCREMENT PRIMARY KEY, small TINYINT)",
        "SET GLOBAL sql_mode = ''",
    )
    try:
        reply = one(connector(mariadb), add({"small": 4000}))
    finally:
        run(mariadb, "SET GLOBAL sql_mode = DEFAULT")
    assert reply.status is Status.REJECTED
    assert held(mariadb) == []


def test_a_read_only_user_is_told_so(postgresql: str) -> None:
    """Without the right to write the answer is FORBIDDEN for each write."""
    run(
        postgresql,
        "CREATE TABLE contacts (id SERIAL PRIMARY KEY, name TEXT)",
        "DROP ROLE IF EXISTS ghl_test_reader_2",
        "CREATE ROLE ghl_test_reader_2 LOGIN",
        "GRANT SELECT ON contacts TO ghl_test_reader_2",
    )
    url = (
        database_url(postgresql)
        .set(username="ghl_test_reader_2")
        .render_as_string(hide_password=False)
    )
    side = connector(url)
    try:
        reply = one(side, add({"name": "Ann"}))
        assert (reply.status, reply.code) == (Status.REJECTED, "FORBIDDEN")
    finally:
        side.close()
        run(postgresql, "DROP OWNED BY ghl_test_reader_2", "DROP ROLE ghl_test_reader_2")


# What the database and the application do by themselves.


def test_the_reply_shows_what_triggers_and_defaults_made(sqlite: str) -> None:
    """The record of a reply is read back after triggers and defaults."""
    run(
        sqlite,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, stage TEXT DEFAULT 'lead')",
        "CREATE TRIGGER shout AFTER INSERT ON contacts BEGIN UPDATE contacts SET name = upper(name); END",
    )
    reply = one(connector(sqlite), add({"name": "ann", "stage": None}))
    assert reply.record is not None
    assert dict(reply.record.fields) == {"id": 1, "name": "ANN", "stage": "lead"}


def test_the_time_and_version_of_a_change_are_kept(anywhere: str) -> None:
    """A modified_at column gets the clock's instant, an integer version the next number, as the application would do."""
    moment = "TIMESTAMP" if anywhere.startswith("postgresql") else "DATETIME"
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9), seen {moment} NOT NULL, revision INTEGER NOT NULL)",
    )
    side = connector(anywhere, modified_at="seen", version="revision")
    made = one(side, add({"name": "a"}))
    assert made.record is not None
    assert (made.record.modified_at, made.record.version) == (NOW, "1")
    again = one(side, change(made.key, {"name": "b"}, version="1"))
    assert again.record is not None
    assert (again.record.modified_at, again.record.version) == (NOW, "2")
    assert one(side, change(made.key, {"name": "c"}, version="1")).status is Status.STALE


def test_a_blank_in_a_column_that_takes_no_null_is_empty_text(anywhere: str) -> None:
    """Clearing a NOT NULL text column writes the empty text."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9) NOT NULL)",
        "INSERT INTO contacts (name) VALUES ('a')",
    )
    assert one(connector(anywhere), change("1", {"name": None})).status is Status.DONE
    assert held(anywhere, "name") == [("",)]


@pytest.mark.parametrize(
    "stored", ["2026-01-02T03:04:05Z", "2026-01-02 03:04:05", 1767323045, 1767323045000]
)
def test_sqlite_times_are_written_in_the_form_found(sqlite: str, stored: str | int) -> None:
    """A column that keeps ISO text, SQL text, seconds or milliseconds goes on doing so."""
    run(
        sqlite,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, seen)",
        f"INSERT INTO contacts VALUES (1, {stored!r})",
    )
    run(sqlite, "ALTER TABLE contacts ADD COLUMN name TEXT")
    side = connector(sqlite, modified_at="seen")
    assert one(side, change("1", {"name": "x"})).status is Status.DONE
    [(after,)] = held(sqlite, "seen")
    assert (type(after), len(str(after))) == (type(stored), len(str(stored)))
    record = side.read(CONTACT, "1")
    assert record is not None
    assert record.modified_at == NOW


def test_keys_are_made_where_the_database_makes_none(anywhere: str) -> None:
    """A text key without a default gets a new unique value, and the reply tells it."""
    run(anywhere, "CREATE TABLE contacts (id VARCHAR(40) PRIMARY KEY, name VARCHAR(9))")
    replies = list(connector(anywhere).write([add({"name": "a"}, "1"), add({"name": "b"}, "2")]))
    assert {row[0] for row in held(anywhere)} == {reply.key for reply in replies}


def test_a_key_that_the_database_makes_by_default_is_read_back(server: str) -> None:
    """A UUID from a column default is in the reply."""
    default = "gen_random_uuid()" if server.startswith("postgresql") else "uuid()"
    run(server, f"CREATE TABLE contacts (id UUID PRIMARY KEY DEFAULT {default}, name VARCHAR(9))")
    side = connector(server)
    reply = one(side, add({"name": "a"}))
    assert reply.key is not None
    record = side.read(CONTACT, reply.key)
    assert record is not None
    assert record.fields["name"] == "a"
    assert one(side, change(reply.key, {"name": "b"}, expected={"name": "a"})).status is Status.DONE


def test_expectations_are_compared_by_meaning(anywhere: str) -> None:
    """Another spelling of the same number, date or instant is as expected; another case of a text is not."""
    moment = "TIMESTAMP" if anywhere.startswith("postgresql") else "DATETIME"
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9), balance NUMERIC(9,2), seen {moment}, born DATE)",
        "INSERT INTO contacts (name, balance, seen, born) VALUES ('Ann', 1.50, '2026-01-02 03:04:05', '1999-01-02')",
    )
    side = connector(anywhere)
    expected = {
        "name": "Ann",
        "balance": "1.5",
        "seen": "2026-01-02T04:04:05+01:00",
        "born": "1999-01-02T00:00:00Z",
    }
    assert (
        one(side, change("1", {"name": "ann"}, expected={**expected, "name": "ANN"})).status
        is Status.STALE
    )
    assert one(side, change("1", {"name": "ann"}, expected=expected)).status is Status.DONE
    assert held(anywhere, "name") == [("ann",)]


# Deletes and tags.


def test_a_delete_that_others_depend_on_is_rejected(anywhere: str) -> None:
    """A contact that other rows refer to stays, and the answer says so."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9))",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, contact INTEGER,"
        " CONSTRAINT ordered FOREIGN KEY (contact) REFERENCES contacts (id))",
        "INSERT INTO contacts (name) VALUES ('a')",
        "INSERT INTO orders VALUES (1, 1)",
    )
    reply = one(connector(anywhere), Write("op", OpKind.DELETE, CONTACT, "1"))
    assert (reply.status, reply.code) == (Status.REJECTED, "REFERRED_TO")
    assert "another row of the database refers to the record" in reply.detail
    assert len(held(anywhere)) == 1


def test_a_delete_of_what_changed_is_stale(anywhere: str) -> None:
    """A delete that expects a value leaves a record alone that has another."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9))",
        "INSERT INTO contacts (name) VALUES ('new')",
    )
    side = connector(anywhere)
    assert (
        one(side, Write("op", OpKind.DELETE, CONTACT, "1", expected={"name": "old"})).status
        is Status.STALE
    )
    assert (
        one(side, Write("op", OpKind.DELETE, CONTACT, "1", expected={"name": "new"})).status
        is Status.DONE
    )
    assert held(anywhere) == []


@pytest.mark.parametrize("kind", ["BOOLEAN", "TIMESTAMP", "INTEGER"])
def test_a_soft_delete_marks_the_record(anywhere: str, kind: str) -> None:
    """Where a soft-delete column is declared the row stays, is shown as deleted, and is gone for later writes."""
    null = " NULL" if kind == "TIMESTAMP" else ""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9), gone {kind}{null})",
        "INSERT INTO contacts (name) VALUES ('a')",
    )
    side = connector(anywhere, deleted="gone")
    before = side.read(CONTACT, "1")
    assert before is not None
    assert not before.deleted
    assert one(side, Write("op", OpKind.DELETE, CONTACT, "1")).status is Status.DONE
    after = side.read(CONTACT, "1")
    assert after is not None
    assert after.deleted
    assert one(side, change("1", {"name": "b"})).code == "NOT_FOUND"
    assert held(anywhere, "name") == [("a",)]


def test_a_tag_that_holds_the_delimiter_is_rejected(sqlite: str) -> None:
    """A tag that would become two is refused, not written."""
    run(
        sqlite,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, labels TEXT)",
        "INSERT INTO contacts VALUES (1, 'a, b')",
    )
    side = connector(sqlite, tags=TagSettings("delimited", column="labels", delimiter=","))
    reply = one(side, Write("op", OpKind.ADD_TAGS, CONTACT, "1", tags=("c,d",)))
    assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
    assert one(side, Write("op", OpKind.ADD_TAGS, CONTACT, "1", tags=("c",))).status is Status.DONE
    assert held(sqlite, "labels") == [("a, b, c",)]


def test_a_new_tag_gets_a_name_of_its_own(anywhere: str) -> None:
    """With a table of tag names, a known name is used and an unknown one added, once."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9))",
        f"CREATE TABLE tag ({serial(anywhere)}, name VARCHAR(20) UNIQUE)",
        "CREATE TABLE contact_tag (contact_id INTEGER, tag_id INTEGER, PRIMARY KEY (contact_id, tag_id))",
        "INSERT INTO contacts (name) VALUES ('a'), ('b')",
        "INSERT INTO tag (name) VALUES ('Known')",
    )
    tags = TagSettings(
        "table", table="contact_tag", contact="contact_id", tag="tag_id", names="tag"
    )
    side = connector(anywhere, tags=tags)
    for key in "12":
        reply = one(side, Write("op", OpKind.ADD_TAGS, CONTACT, key, tags=("known", "fresh")))
        assert reply.record is not None
        assert sorted(str(tag) for tag in reply.record.fields["tags"]) == ["Known", "fresh"]  # type: ignore[union-attr]
    made = one(side, add({"name": "c", "tags": ["fresh"]}))
    assert made.record is not None
    assert made.record.fields["tags"] == ["fresh"]
    assert one(side, Write("op", OpKind.DELETE, CONTACT, made.key)).status is Status.DONE


def test_all_tags_of_a_field_are_replaced(sqlite: str) -> None:
    """An update that names the field tags makes them exactly those."""
    run(
        sqlite,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, labels JSON)",
        """INSERT INTO contacts VALUES (1, '["a", "b"]')""",
    )
    side = connector(sqlite, tags=TagSettings("json", column="labels"))
    reply = one(side, change("1", {"tags": ["b", "c"]}))
    assert reply.record is not None
    assert reply.record.fields["tags"] == ["b", "c"]


# Locks and lost connections.


def locking(url: str) -> tuple[sa.Connection, sa.Transaction]:
    """Another user's transaction, which holds the row 1."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    connection = engine.connect()
    transaction = connection.begin()
    connection.exec_driver_sql("UPDATE contacts SET name = 'theirs' WHERE id = 1")
    return connection, transaction


def test_a_locked_record_is_left_alone(server: str) -> None:
    """A record that another transaction holds is given up after a while; its neighbours are written."""
    run(
        server,
        f"CREATE TABLE contacts ({serial(server)}, name VARCHAR(9))",
        "INSERT INTO contacts (name) VALUES ('a'), ('b')",
    )
    side = connector(server, lock_seconds=1)
    side.describe()
    connection, transaction = locking(server)
    replies = {
        r.op_id: r
        for r in side.write([change("1", {"name": "x"}, "1"), change("2", {"name": "y"}, "2")])
    }
    transaction.rollback()
    connection.close()
    assert (replies["1"].status, replies["1"].code) == (Status.SKIPPED, "ROW_LOCKED")
    assert replies["2"].status is Status.DONE
    assert held(server, "name") == [("a",), ("y",)]


def test_a_lock_that_is_released_is_waited_for(anywhere: str) -> None:
    """A write that met a lock is tried again, and sees what the other transaction did."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9))",
        "INSERT INTO contacts (name) VALUES ('a')",
    )
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if transaction.is_active:
            transaction.commit()

    side = connector(anywhere, sleep=sleep, lock_seconds=1)
    side.describe()
    connection, transaction = locking(anywhere)
    reply = one(side, change("1", {"name": "ours"}, expected={"name": "a"}))
    connection.close()
    assert reply.status is Status.STALE
    assert len(waits) == 1
    assert held(anywhere, "name") == [("theirs",)]


def test_a_commit_without_an_answer_is_uncertain(server: str) -> None:
    """When the connection is lost in the commit, nobody knows: every write of the batch is in doubt, none is repeated."""
    run(server, f"CREATE TABLE contacts ({serial(server)}, name VARCHAR(9))")
    side = connector(server)
    side.describe()
    sa.event.listen(side._engine, "commit", lambda _connection: kill_others(server))
    reply = one(side, add({"name": "a"}))
    assert (reply.status, reply.code) == (Status.UNCERTAIN, "UNCERTAIN")
    assert side.look(add({"name": "a"})) == []


def test_a_connection_lost_before_the_commit_is_made_anew(server: str) -> None:
    """A batch whose connection goes before the commit left nothing behind, and is carried out on a new one."""
    run(server, f"CREATE TABLE contacts ({serial(server)}, name VARCHAR(9))")
    side = connector(server)
    side.describe()
    killed: list[bool] = []

    def kill_once(*_: object) -> None:
        if not killed:
            killed.append(True)
            kill_others(server)

    sa.event.listen(side._engine, "savepoint", kill_once)
    assert one(side, add({"name": "a"})).status is Status.DONE
    assert len(held(server)) == 1


def test_a_database_that_is_gone_skips_what_was_not_sent(postgresql: str) -> None:
    """Writes that never reached the database are skipped, not rejected, and nothing is raised."""
    run(postgresql, "CREATE TABLE contacts (id SERIAL PRIMARY KEY, name TEXT)")
    side = connector(postgresql)
    side.describe()
    side._engine.dispose()
    sa.event.listen(side._engine, "do_connect", lambda *_: (_ for _ in ()).throw(gone(side)))
    replies = list(side.write([add({"name": "a"}, "1"), add({"name": "b"}, "2")]))
    assert {(reply.status, reply.code) for reply in replies} == {(Status.SKIPPED, "TRANSIENT")}


def gone(side: SqlConnector) -> Exception:
    return side._engine.dialect.loaded_dbapi.OperationalError("connection refused")


def test_look_finds_by_email_and_by_content(anywhere: str) -> None:
    """A record of the same email, or of exactly the same content, is found; another is not."""
    run(
        anywhere,
        f"CREATE TABLE contacts ({serial(anywhere)}, name VARCHAR(9), email VARCHAR(50), balance NUMERIC(9,2))",
        "INSERT INTO contacts (name, email, balance) VALUES ('Ann', 'a@b.test', 1.5), ('Bob', NULL, 2), ('Bob', NULL, 3)",
    )
    side = connector(anywhere)

    def found(fields: Mapping[str, Json]) -> list[str]:
        return sorted(record.key for record in side.look(add(fields)))

    assert found({"name": "Other", "email": "a@b.test"}) == ["1"]
    assert found({"name": "Bob", "balance": "3.0"}) == ["3"]
    assert found({"name": "Bob", "balance": "4"}) == []
    assert found({}) == []
