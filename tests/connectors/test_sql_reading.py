"""What the SQL connector finds in a database, and how it reads it."""

from __future__ import annotations

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.contract import ALL, read_line
from connectors.sql import SqlConnector, SqlSettings, TableSettings, TagSettings
from connectors.sql import tags as tagging
from connectors.sql.engine import database_url
from connectors.sql.lines import Lines, Tally
from connectors.sql.reading import Slice, stream
from reconcile.errors import ConfigError, ConnectorError
from reconcile.model import Entity
from reconcile.ports import Page, Proof, Record, Scope
from tests.connectors.databases import fresh_database, opened, run

CONTACT = Entity.CONTACT


def connector(url: str, table: str = "contacts", **declared: Any) -> SqlConnector:
    return opened(SqlSettings(url, {CONTACT: TableSettings(table, **declared)}))


def extraction(
    side: SqlConnector, entity: Entity = CONTACT, scope: Scope = ALL
) -> tuple[list[Record], Proof]:
    *pages, proof = side.extract(entity, scope)
    assert isinstance(proof, Proof)
    lines = [line for page in pages if isinstance(page, Page) for line in page.lines.splitlines()]
    return [read_line(side.shape(entity), line) for line in lines], proof


# What is declared and what is there.


def test_everything_missing_is_reported_at_once(sqlite: str) -> None:
    """Each missing table and column is a problem of its own, with what is near it, in one error."""
    run(
        sqlite,
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, e_mail TEXT, updated_at TEXT)",
        "CREATE TABLE todo (id)",
    )
    settings = SqlSettings(
        sqlite,
        {
            CONTACT: TableSettings(
                "customers", modified_at="update_at", tags=TagSettings("json", column="labels")
            ),
            Entity.TASK: TableSettings("todos", parent="customer_id"),
            Entity.NOTE: TableSettings("customers"),
        },
        fields={CONTACT: ("email", "updated_at")},
    )
    with pytest.raises(ConfigError) as caught:
        opened(settings).describe()
    said = {problem.where: (problem.what, problem.remedy) for problem in caught.value.problems}
    assert set(said) == {
        "contact: modified_at",
        "contact: tags",
        "contact: fields",
        "task: table",
        "note: parent",
    }
    assert said["contact: fields"] == (
        "table 'customers' has no column 'email'",
        "did you mean 'e_mail'?",
    )
    assert "'updated_at'" in said["contact: modified_at"][1]
    assert "'todo'" in said["task: table"][1]


def test_the_url_is_never_shown(sqlite: str) -> None:
    """Neither the settings, the connector nor an error about the URL show a password."""
    settings = SqlSettings(
        "postgresql://u:secret@127.0.0.1:1/x", {CONTACT: TableSettings("contacts")}
    )
    side = opened(settings)
    assert "secret" not in repr(settings) + repr(side)
    with pytest.raises(ConnectorError) as caught:
        side.describe()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ConfigError) as unknown:
        connector("secret").describe()
    assert "secret" not in str(unknown.value)


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    """A mistyped SQLite path is a problem, not a new empty database that looks like a wipe."""
    with pytest.raises(ConfigError):
        connector(f"sqlite:///{tmp_path}/typo.db").describe()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["nosuchdialect://h/d", "oracle+nosuchdriver://h/d", "mssql+pyodbc://h/d"]
)
def test_a_missing_driver_says_what_to_install(url: str) -> None:
    """An unknown dialect or a driver that is not installed is a configuration problem with a remedy."""
    with pytest.raises(ConfigError) as caught:
        connector(url).describe()
    assert caught.value.problems[0].remedy


def test_identity_tells_databases_apart(anywhere: str, tmp_path: Path) -> None:
    """The same database has the same identity from every connector, another one has another."""
    table = "CREATE TABLE contacts (id INTEGER PRIMARY KEY)"
    run(anywhere, table)
    identity = connector(anywhere).describe().identity
    assert identity == connector(anywhere).describe().identity
    (tmp_path / "other").mkdir()
    for other in fresh_database(database_url(anywhere).get_backend_name(), tmp_path / "other"):
        run(other, table)
        assert connector(other).describe().identity != identity


def test_types_and_choices_come_from_the_columns(anywhere: str) -> None:
    """Column types, CHECK lists, not-null and generated columns are told by what the database says of them."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, born DATE NOT NULL, visits INTEGER,"
        " twice INTEGER GENERATED ALWAYS AS (visits * 2) STORED, balance NUMERIC(10,2),"
        " stage VARCHAR(10), CONSTRAINT stages CHECK (stage IN ('lead', 'it''s on')))",
    )
    fields = connector(anywhere).describe().fields[CONTACT]
    kinds = {name: field.type for name, field in fields.items()}
    assert kinds | {"id": "integer"} == {
        "id": "integer", "name": "text", "born": "date", "visits": "integer", "twice": "integer",
        "balance": "decimal", "stage": "choice",
    }  # fmt: skip
    assert fields["stage"].choices == ("lead", "it's on")
    assert (fields["born"].clearable, fields["visits"].clearable) == (False, True)
    assert (fields["twice"].writable, fields["visits"].writable) == (False, True)


def test_reading_needs_no_more_than_select(postgresql: str) -> None:
    """A role that may only select can describe, extract and read."""
    run(
        postgresql,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO contacts VALUES (1, 'Ann')",
        "DROP ROLE IF EXISTS ghl_test_reader",
        "CREATE ROLE ghl_test_reader LOGIN",
        "GRANT SELECT ON contacts TO ghl_test_reader",
    )
    url = (
        database_url(postgresql)
        .set(username="ghl_test_reader")
        .render_as_string(hide_password=False)
    )
    side = connector(url)
    try:
        side.describe()
        assert [record.key for record in extraction(side)[0]] == ["1"]
        assert side.read(CONTACT, "1") is not None
    finally:
        run(postgresql, "DROP OWNED BY ghl_test_reader", "DROP ROLE ghl_test_reader")


# Whole tables.

EVERY_TYPE = """
CREATE TABLE contacts (id UUID PRIMARY KEY, a TEXT, b INTEGER, c BIGINT, d DOUBLE PRECISION, e NUMERIC(20,6), f BOOLEAN,
  g DATE, h TIMESTAMP, i TIMESTAMPTZ, j TIME, k BYTEA, l JSON, m JSONB, n TEXT[], o INTERVAL, p INET, q VARCHAR(9),
  "per%cent" TEXT, "co:lon" TEXT, "quo""te" TEXT, "#key" TEXT, revision BIGINT, labels JSON, gone BOOLEAN)
"""
OTHER = "6f9619ff-8b86-d011-b42d-00c04fc964fe"
EVERY_VALUE = r"""
INSERT INTO contacts VALUES ('6f9619ff-8b86-d011-b42d-00c04fc964ff', E'a\\b"c\nd\te 寿司 \u0001 </script>', 1, 9007199254740993,
  0.1, 1.50, true, '2026-02-03', '2026-02-03 04:05:06', '2026-02-03 04:05:06.789+02', '04:05:06', '\xdeadbeef',
  E'{"x":\n [1, "y\\nz"]}', '{"x": null}', ARRAY['a', 'b"c'], '1 day', '127.0.0.1', 'q', '%s %', ':x', '"', 'k', 7,
  E'["vip",\n "a, b"]', false)
"""


def test_copy_gives_what_reading_row_by_row_gives(postgresql: str) -> None:
    """The server's own JSON and ours are the same values, for every type, awkward names and nulls."""
    run(postgresql, EVERY_TYPE, EVERY_VALUE, f"INSERT INTO contacts (id) VALUES ('{OTHER}')")
    side = connector(
        postgresql,
        modified_at="i",
        version="revision",
        deleted="gone",
        tags=TagSettings("json", column="labels"),
    )
    copied = [
        json.loads(line)
        for page in side.extract(CONTACT)
        if isinstance(page, Page)
        for line in page.lines.splitlines()
    ]
    with side._engine.connect() as connection:
        pages = list(stream(connection, side._layout(CONTACT), Slice(), rows=100, tally=Tally()))
    streamed = [json.loads(line) for page in pages for line in page.lines.splitlines()]
    assert len(copied) == 2
    assert copied == streamed
    first = side.read(CONTACT, "6f9619ff-8b86-d011-b42d-00c04fc964ff")
    assert first is not None
    assert first.fields == {name: copied[0][name] for name in first.fields}
    assert (first.version, first.modified_at, first.fields["tags"]) == (
        "7",
        "2026-02-03T02:05:06.789000Z",
        ["vip", "a, b"],
    )


def test_copy_is_used_where_it_can_be(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain table on PostgreSQL never goes through Python row by row."""
    run(
        postgresql,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        "INSERT INTO contacts VALUES (1)",
    )
    monkeypatch.setattr(Lines, "page", lambda *_: pytest.fail("row by row"))
    assert [record.key for record in extraction(connector(postgresql))[0]] == ["1"]


def test_all_entities_are_seen_at_one_moment(anywhere: str) -> None:
    """What is added between two extractions of a run is in neither, and in both when they are read again."""
    run(
        anywhere,
        *(["PRAGMA journal_mode=WAL"] if anywhere.startswith("sqlite") else []),
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, contact_id INTEGER, body VARCHAR(9))",
        "INSERT INTO contacts VALUES (1)",
        "INSERT INTO notes VALUES (1, 1, 'x')",
    )
    entities = {
        CONTACT: TableSettings("contacts"),
        Entity.NOTE: TableSettings("notes", parent="contact_id"),
    }
    side = opened(SqlSettings(anywhere, entities))
    assert len(extraction(side)[0]) == 1
    run(anywhere, "INSERT INTO contacts VALUES (2)", "INSERT INTO notes VALUES (2, 2, 'y')")
    assert len(extraction(side, Entity.NOTE)[0]) == 1
    assert len(extraction(side, Entity.NOTE)[0]) == 2
    assert len(extraction(side)[0]) == 2


def test_many_pages_hold_every_row(anywhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of several pages comes whole, each row once, and an abandoned read of it leaves the connector usable."""
    run(anywhere, "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name VARCHAR(20))")
    engine = sa.create_engine(database_url(anywhere), poolclass=sa.NullPool)
    table = sa.Table("contacts", sa.MetaData(), autoload_with=engine)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(table), [{"id": number, "name": f"n{number}"} for number in range(1, 9501)]
        )
    side = connector(anywhere)
    reading = side.extract(CONTACT)
    assert isinstance(next(iter(reading)), Page)
    reading.close()  # type: ignore[attr-defined]
    records, proof = extraction(side)
    assert {int(record.key) for record in records} == set(range(1, 9501))
    assert (len(records), proof.complete, proof.reported_total) == (9500, True, 9500)
    some = tuple(str(number) for number in range(1, 3001, 2))
    assert sorted(record.key for record in extraction(side, scope=Scope(keys=some))[0]) == sorted(
        some
    )


def test_a_read_that_is_left_ends_with_its_connector(anywhere: str) -> None:
    """Closed in the middle of a read, the connector leaves no cursor behind; the read says that it is not whole."""
    rows = ", ".join(f"({number}, '{'x' * 200}')" for number in range(20_000))
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, body TEXT)",
        f"INSERT INTO contacts VALUES {rows}",
    )
    side = connector(anywhere)
    reading = side.extract(CONTACT)
    next(iter(reading))
    side.close()
    *_, proof = reading
    assert isinstance(proof, Proof)
    assert not proof.complete
    assert "20000 rows were counted" in proof.why_incomplete
    gc.collect()
    assert extraction(side)[1].complete


def test_a_key_that_is_none_makes_the_proof_incomplete(anywhere: str) -> None:
    """A declared key that several rows share is told, because a record would stand for another."""
    run(
        anywhere,
        "CREATE TABLE people (id INTEGER, name VARCHAR(9))",
        "INSERT INTO people VALUES (1, 'a'), (1, 'b'), (2, 'c')",
        "CREATE VIEW contacts AS SELECT * FROM people",
    )
    side = connector(anywhere)
    _, proof = extraction(side)
    assert not proof.complete
    assert "id is no key" in proof.why_incomplete


def test_rows_without_a_key_are_set_aside(anywhere: str) -> None:
    """A row whose key is null is told and not counted as missing."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER, name VARCHAR(9))",
        "INSERT INTO contacts VALUES (1, 'a'), (NULL, 'b')",
    )
    side = connector(anywhere)
    records, proof = extraction(side)
    assert [record.key for record in records] == ["1"]
    assert (proof.complete, proof.reported_total, len(proof.quarantined)) == (True, 2, 1)


def test_tags_that_are_no_list_are_set_aside(postgresql: str) -> None:
    """A row whose tags cannot be read is quarantined by its key, and the proof is incomplete: it is not absent."""
    run(
        postgresql,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, labels JSON)",
        """INSERT INTO contacts VALUES (1, '["a"]'), (2, '{"a": 1}'), (3, NULL)""",
    )
    side = connector(postgresql, tags=TagSettings("json", column="labels"))
    records, proof = extraction(side)
    assert {record.key: record.fields["tags"] for record in records} == {"1": ["a"], "3": []}
    assert not proof.complete
    assert proof.quarantined == ("contacts 2: the tag column does not hold a JSON list",)


@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_a_lost_connection_ends_with_an_incomplete_proof(name: str, tmp_path: Path) -> None:
    """When the server drops the connection half way, the proof says so, and the next extraction is whole."""
    for url in fresh_database(name, tmp_path):
        rows = ", ".join(f"({number}, '{'x' * 200}')" for number in range(20_000))
        run(
            url,
            "CREATE TABLE contacts (id INTEGER PRIMARY KEY, body TEXT)",
            f"INSERT INTO contacts VALUES {rows}",
        )
        side = connector(url)
        reading = side.extract(CONTACT)
        next(iter(reading))
        kill_others(url)
        *_, proof = reading
        assert isinstance(proof, Proof)
        assert not proof.complete
        assert "TRANSIENT" in proof.why_incomplete
        assert extraction(side)[1].complete


def kill_others(url: str) -> None:
    """Drop every other connection to this database, as a restarting server would."""
    engine = sa.create_engine(
        database_url(url), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        others = connection.exec_driver_sql(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ).scalars()
        for other in list(others):
            connection.exec_driver_sql(f"KILL {other}")


def test_a_fixed_filter_holds_everywhere(anywhere: str) -> None:
    """What the filter leaves out is in no extraction, no read and no count."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, kind VARCHAR(9))",
        "INSERT INTO contacts VALUES (1, 'a:b%'), (2, 'other')",
    )
    side = connector(anywhere, where="kind = 'a:b%' OR kind = 'x'")
    records, proof = extraction(side)
    assert [record.key for record in records] == ["1"]
    assert proof.reported_total == 1
    assert side.read(CONTACT, "2") is None
    assert [record.key for record in extraction(side, scope=Scope(keys=("1", "2")))[0]] == ["1"]


def test_a_time_without_zone_is_in_the_declared_one(anywhere: str) -> None:
    """A column without a zone is shown as it is; the time of a change is in UTC, read in the zone that the settings name."""
    kind = "TIMESTAMP" if anywhere.startswith("postgresql") else "DATETIME"
    run(
        anywhere,
        f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, seen {kind})",
        "INSERT INTO contacts VALUES (1, '2026-07-01 12:00:00')",
    )
    entities = {CONTACT: TableSettings("contacts", modified_at="seen")}
    side = opened(SqlSettings(anywhere, entities, timezone="Europe/Berlin"))
    [record], _ = extraction(side)
    assert (record.fields["seen"], record.modified_at) == (
        "2026-07-01T12:00:00",
        "2026-07-01T10:00:00Z",
    )
    assert side.read(CONTACT, "1") == record
    assert len(extraction(side, scope=Scope(since="2026-07-01T10:00:00Z"))[0]) == 1
    assert len(extraction(side, scope=Scope(since="2026-07-01T10:00:01Z"))[0]) == 0
    run(anywhere, "INSERT INTO contacts VALUES (2, NULL)")  # when it was changed, nobody knows
    undated, _ = extraction(side, scope=Scope(since="2026-07-01T10:00:01Z"))
    assert [record.key for record in undated] == ["2"]


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("DATETIME", "'2026-01-02 03:04:05'"),
        ("TEXT", "'2026-01-02T03:04:05Z'"),
        ("TEXT", "'2026-01-02T05:04:05+02:00'"),
        ("INTEGER", "1767323045"),
        ("INTEGER", "1767323045000"),
    ],
)
def test_sqlite_keeps_times_in_many_forms(sqlite: str, kind: str, stored: str) -> None:
    """Text with and without zone, seconds and milliseconds all read as the same instant."""
    run(
        sqlite,
        f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, seen {kind})",
        f"INSERT INTO contacts VALUES (1, {stored})",
    )
    [record], _ = extraction(connector(sqlite, modified_at="seen"))
    assert record.modified_at == "2026-01-02T03:04:05Z"


def test_views_and_schemas_can_be_read(postgresql: str) -> None:
    """A view in another schema is as good as a table."""
    run(
        postgresql,
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.people (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE VIEW crm.contacts AS SELECT id, upper(name) AS name FROM crm.people",
        "INSERT INTO crm.people VALUES (1, 'ann')",
    )
    [record], proof = extraction(connector(postgresql, "crm.contacts"))
    assert (record.key, record.fields["name"], proof.complete) == ("1", "ANN", True)


def test_domains_enums_and_unknown_types_are_read(postgresql: str) -> None:
    """A domain is what it is made of, an enum has its choices, and a type that nobody knows is text."""
    run(
        postgresql,
        "CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0)",
        "CREATE TYPE stage AS ENUM ('lead', 'customer')",
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, visits positive, stage stage, place POINT, word TSVECTOR)",
        "INSERT INTO contacts VALUES (1, 2, 'lead', '(1,2)', 'a')",
    )
    side = connector(postgresql)
    fields = side.describe().fields[CONTACT]
    assert (fields["visits"].type, fields["stage"].type, fields["place"].type) == (
        "integer",
        "choice",
        "text",
    )
    assert fields["stage"].choices == ("lead", "customer")
    [record], _ = extraction(side)
    assert record == side.read(CONTACT, "1")
    assert dict(record.fields) == {
        "id": 1,
        "visits": 2,
        "stage": "lead",
        "place": "(1,2)",
        "word": "'a'",
    }


def test_a_key_in_another_case_is_another_key(anywhere: str) -> None:
    """A database that ignores case when it compares does not give one record for another's key."""
    run(
        anywhere,
        "CREATE TABLE contacts (id VARCHAR(9) PRIMARY KEY)",
        "INSERT INTO contacts VALUES ('Ann')",
    )
    side = connector(anywhere)
    assert side.read(CONTACT, "Ann") is not None
    assert side.read(CONTACT, "ANN") is None
    assert side.read(CONTACT, "Ann ") is None


def test_a_row_that_is_no_json_is_set_aside(sqlite: str) -> None:
    """A row that cannot be shown is quarantined by its key; the others of its page are shown."""
    run(
        sqlite,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, extra JSON)",
        r"""INSERT INTO contacts VALUES (1, '{"a": 1}'), (2, '{"a": "\ud800"}'), (3, 'not json')""",
    )
    records, proof = extraction(connector(sqlite))
    assert {record.key: record.fields["extra"] for record in records} == {
        "1": {"a": 1},
        "3": "not json",
    }
    assert not proof.complete
    [sentence] = proof.quarantined
    assert sentence.startswith("contacts 2: ")


def test_tags_of_a_join_table_come_without_aggregates(
    anywhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that cannot gather tags into JSON gives the same as one that can."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        "CREATE TABLE marks (who INTEGER, what VARCHAR(9))",
        "INSERT INTO contacts VALUES (1), (2)",
        "INSERT INTO marks VALUES (1, 'b'), (1, 'a'), (1, NULL), (3, 'c')",
    )
    side = connector(anywhere, tags=TagSettings("table", table="marks", contact="who", tag="what"))
    gathered = {
        record.key: sorted(map(str, record.fields["tags"])) for record in extraction(side)[0]
    }  # type: ignore[arg-type]
    assert gathered == {"1": ["a", "b"], "2": []}
    monkeypatch.setattr(tagging, "_AGGREGATES", {})
    monkeypatch.setattr("connectors.sql.can_copy", lambda *_: False)
    again = {record.key: sorted(map(str, record.fields["tags"])) for record in extraction(side)[0]}  # type: ignore[arg-type]
    assert again == gathered


def test_an_extraction_may_go_on_in_another_thread(anywhere: str) -> None:
    """A worker's threads may take turns with a connector."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        "INSERT INTO contacts VALUES (1), (2)",
    )
    side = connector(anywhere)
    reading = side.extract(CONTACT)
    first = next(iter(reading))
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list[Page | Proof], reading).result()
        assert pool.submit(side.read, CONTACT, "1").result() is not None
    assert [type(step) for step in (first, *rest)] == [Page, Proof]


def test_bytes_where_text_should_be_are_shown_in_hex(sqlite: str) -> None:
    """SQLite stores anything anywhere: bytes in a text column are no reason to stop."""
    run(sqlite, "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, photo BLOB)")
    run(sqlite, "INSERT INTO contacts VALUES (1, x'c3ff', x'00ff')")
    side = connector(sqlite)
    [record], proof = extraction(side)
    assert (record.fields["name"], record.fields["photo"], proof.complete) == ("c3ff", "00ff", True)
    assert side.read(CONTACT, "1") == record


# Who is gone.


@pytest.mark.parametrize(
    ("kind", "kept", "gone"),
    [
        (
            "VARCHAR(40)",
            ["'no'", "'N'", "'off'", "'False'", "''", "'0'", "'0.0'", "NULL", "' '"],
            ["'yes'", "'2026-01-02'"],
        ),
        ("CHAR(3)", ["' '", "'n'", "'no'"], ["'y'", "'1'"]),
        ("INTEGER", ["0", "NULL"], ["1", "1767312000"]),
        ("NUMERIC(12,2)", ["0", "NULL"], ["1"]),
        ("DOUBLE PRECISION", ["0", "NULL"], ["1"]),
    ],
)
def test_a_mark_that_says_no_is_none(
    anywhere: str, kind: str, kept: list[str], gone: list[str]
) -> None:
    """Read in bulk or by key, and in every database: only a yes, a moment or a number other than 0 says that a record is gone."""
    run(
        anywhere,
        f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, email VARCHAR(40), gone {kind})",
        *(
            f"INSERT INTO contacts VALUES ({at}, 'a', {mark})"
            for at, mark in enumerate([*kept, *gone])
        ),
    )
    side = connector(anywhere, deleted="gone")
    found, proof = extraction(side)
    expected = [False] * len(kept) + [True] * len(gone)
    assert proof.complete
    assert [
        record.deleted for record in sorted(found, key=lambda record: int(record.key))
    ] == expected
    by_key = [side.read(CONTACT, str(at)) for at in range(len(expected))]
    side.close()
    assert [record is None or record.deleted for record in by_key] == expected


@pytest.mark.parametrize(("kind", "no", "yes"), [("BIT(1)", "b'0'", "b'1'")])
@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_a_bit_that_is_not_set_marks_nothing(
    tmp_path: Path, name: str, kind: str, no: str, yes: str
) -> None:
    """A BIT column comes as text from one database and as bytes from another."""
    for url in fresh_database(name, tmp_path):
        run(
            url,
            f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, gone {kind})",
            f"INSERT INTO contacts VALUES (1, {no}), (2, {yes})",
        )
        side = connector(url, deleted="gone")
        found, _ = extraction(side)
        side.close()
        assert {record.key: record.deleted for record in found} == {"1": False, "2": True}
