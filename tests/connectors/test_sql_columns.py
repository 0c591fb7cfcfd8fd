"""Columns that databases treat in ways of their own: padded texts, sets, spans, large numbers, moments without a zone."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.contract import create
from connectors.sql import SqlConnector, SqlSettings, TableSettings, TagSettings
from connectors.sql.engine import database_url
from reconcile.errors import ConfigError
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Scope, Write
from tests.connectors.databases import opened, run
from tests.connectors.test_sql_reading import connector, extraction

CONTACT, TASK = Entity.CONTACT, Entity.TASK


def update(key: str, entity: Entity = CONTACT, **fields: Json) -> Write:
    return Write("op", OpKind.UPDATE, entity, key, fields=fields)


def status(side: SqlConnector, write: Write) -> Status:
    [reply] = side.write([write])
    return reply.status


def test_a_padded_key_is_one_key_however_it_is_read(
    anywhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHAR(8) keys, parents and values show no padding: in bulk, row by row, in an answer; and each write finds its row."""
    run(
        anywhere,
        "CREATE TABLE contacts (id CHAR(8) PRIMARY KEY, name CHAR(10))",
        "CREATE TABLE tasks (id CHAR(8) PRIMARY KEY, person CHAR(8), title VARCHAR(20))",
        "CREATE TABLE marks (who CHAR(8), what CHAR(9))",
        "INSERT INTO contacts VALUES ('c1', 'Ann'), ('c2', 'Bob')",
        "INSERT INTO tasks VALUES ('t1', 'c1', 'Call')",
        "INSERT INTO marks VALUES ('c1', 'vip')",
    )
    tags = TagSettings("table", table="marks", contact="who", tag="what")
    people = TableSettings("contacts", tags=tags)
    side = opened(
        SqlSettings(anywhere, {CONTACT: people, TASK: TableSettings("tasks", parent="person")})
    )
    shown = {one.key: one for one in extraction(side)[0]}
    assert {key: (one.fields["name"], one.fields["tags"]) for key, one in shown.items()} == {
        "c1": ("Ann", ["vip"]),
        "c2": ("Bob", []),
    }
    assert shown == {key: side.read(CONTACT, key) for key in ("c1", "c2")}
    assert {one.key: one for one in extraction(side, scope=Scope(keys=("c1", "c2")))[0]} == shown
    assert [(one.key, one.parent) for one in extraction(side, TASK)[0]] == [("t1", "c1")]
    monkeypatch.setattr("connectors.sql.can_copy", lambda *_: False)
    assert {one.key: one for one in extraction(side)[0]} == shown

    [made] = side.write([create(TASK, {"id": "t2", "title": "Mail"}, parent="c2")])
    assert (made.key, made.record and made.record.parent) == ("t2", "c2")
    assert (
        status(
            side,
            Write(
                "op",
                OpKind.UPDATE,
                CONTACT,
                "c1",
                fields={"name": "Anne"},
                expected={"name": "Ann"},
            ),
        )
        == Status.DONE
    )
    assert (
        status(side, Write("op", OpKind.REMOVE_TAGS, CONTACT, "c1", tags=("VIP",))) == Status.DONE
    )
    assert status(side, Write("op", OpKind.ADD_TAGS, CONTACT, "c2", tags=("new",))) == Status.DONE
    assert status(side, Write("op", OpKind.DELETE, TASK, "t1")) == Status.DONE
    assert [one.key for one in extraction(side, TASK)[0]] == ["t2"]
    after = {one.key: (one.fields["name"], one.fields["tags"]) for one in extraction(side)[0]}
    assert after == {"c1": ("Anne", []), "c2": ("Bob", ["new"])}


def test_a_filter_is_the_users_sql(anywhere: str) -> None:
    """Colons, casts and percent signs in `where` mean what they mean to the database."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, source VARCHAR(20))",
        "INSERT INTO contacts VALUES (1, 'crm:web'), (2, 'crm:100%'), (3, 'shop')",
    )
    side = connector(anywhere, where="source LIKE 'crm:%' AND source <> ':web:'")
    assert sorted(one.key for one in extraction(side)[0]) == ["1", "2"]
    assert side.read(CONTACT, "3") is None
    assert status(side, update("3", source="no")) == Status.STALE


def test_a_filter_that_the_database_refuses_is_told_at_once(anywhere: str) -> None:
    """A mistake in `where` is a problem of the settings, not a fault in the middle of the night."""
    run(anywhere, "CREATE TABLE contacts (id INTEGER PRIMARY KEY)")
    with pytest.raises(ConfigError) as caught:
        connector(anywhere, where="kind = 1 AND").describe()
    [problem] = caught.value.problems
    assert problem.where == "contact: where"
    assert "does not take this condition" in problem.what


def test_flags_are_kept_in_number_columns(anywhere: str) -> None:
    """True is 1 and false is 0 where an application keeps its flags in numbers; a second look finds nothing to change."""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, vip INTEGER, rate DECIMAL(5,2), news SMALLINT)",
        "INSERT INTO contacts VALUES (1, 0, 0, 1)",
    )
    side = connector(anywhere)
    assert status(side, update("1", vip=True, rate=True, news=False)) == Status.DONE
    found = side.read(CONTACT, "1")
    assert found is not None
    assert [float(str(found.fields[name])) for name in ("vip", "rate", "news")] == [1, 1, 0]


def test_a_tag_with_capitals_beyond_ascii_is_removed(anywhere: str) -> None:
    """GHL knows tags in lower case: its "ärzte" is the application's "ÄRZTE", whatever the database's lower() does."""
    unicode = " CHARACTER SET utf8mb4" if anywhere.startswith("mariadb") else ""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        f"CREATE TABLE labels (id INTEGER PRIMARY KEY, name VARCHAR(20){unicode})",
        "CREATE TABLE marks (who INTEGER, what INTEGER)",
        "INSERT INTO contacts VALUES (1), (2)",
        "INSERT INTO labels VALUES (7, 'ÄRZTE'), (8, 'Arzte')",
        "INSERT INTO marks VALUES (1, 7), (1, 8)",
    )
    named = TagSettings("table", table="marks", contact="who", tag="what", names="labels")
    side = connector(anywhere, tags=named)
    assert (
        status(side, Write("op", OpKind.REMOVE_TAGS, CONTACT, "1", tags=("ärzte",))) == Status.DONE
    )
    assert status(side, Write("op", OpKind.ADD_TAGS, CONTACT, "2", tags=("ärzte",))) == Status.DONE
    assert {one.key: one.fields["tags"] for one in extraction(side)[0]} == {
        "1": ["Arzte"],
        "2": ["ÄRZTE"],
    }


def test_tags_keep_their_characters(anywhere: str) -> None:
    """Tags of a join table are read as they are, beyond ASCII, with quotes and breaks, and more than a kilobyte of them."""
    unicode = " CHARACTER SET utf8mb4" if anywhere.startswith("mariadb") else ""
    run(
        anywhere,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY)",
        f"CREATE TABLE marks (who INTEGER, what VARCHAR(60){unicode})",
        "INSERT INTO contacts VALUES (1), (2), (3)",
    )
    held = {
        1: ["ÄRZTE", "日本", "🙂"],
        2: ['say "hi"', "a\\b", "two\tparts"],
        3: [f"{n} {'ü' * 40}" for n in range(60)],
    }
    engine = sa.create_engine(database_url(anywhere), poolclass=sa.NullPool)
    with engine.begin() as connection:
        marks = sa.Table("marks", sa.MetaData(), autoload_with=engine)
        rows = [{"who": key, "what": tag} for key, tags in held.items() for tag in tags]
        connection.execute(sa.insert(marks), rows)
    side = connector(anywhere, tags=TagSettings("table", table="marks", contact="who", tag="what"))
    records, proof = extraction(side)
    assert proof.complete
    assert {int(one.key): sorted(map(str, one.fields["tags"])) for one in records} == {  # type: ignore[arg-type]
        key: sorted(tags) for key, tags in held.items()
    }
    assert {one.key: one for one in extraction(side, scope=Scope(keys=("1", "2", "3")))[0]} == {
        one.key: one for one in records
    }


def test_mariadbs_set_is_a_list(mariadb: str) -> None:
    """A SET column shows its values in one order, takes a list, and refuses what is not of the set."""
    run(
        mariadb,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, interests SET('golf', 'chess', 'art'))",
        "INSERT INTO contacts VALUES (1, 'art,golf'), (2, ''), (3, NULL)",
    )
    side = connector(mariadb)
    shown = {one.key: one.fields["interests"] for one in extraction(side)[0]}
    assert shown == {"1": ["art", "golf"], "2": [], "3": None}
    assert status(side, update("2", interests=["golf", "chess"])) == Status.DONE
    found = side.read(CONTACT, "2")
    assert found is not None
    assert found.fields["interests"] == ["chess", "golf"]
    assert (
        status(
            side,
            Write(
                "op",
                OpKind.UPDATE,
                CONTACT,
                "2",
                fields={"interests": ["art"]},
                expected={"interests": ["golf", "chess"]},
            ),
        )
        == Status.DONE
    )
    assert status(side, update("2", interests=["rugby"])) == Status.REJECTED


def test_mariadbs_spans_and_large_numbers(mariadb: str) -> None:
    """A TIME beyond a day or below zero keeps its hours, and an unsigned key beyond 2^63 finds its row."""
    run(
        mariadb,
        "CREATE TABLE contacts (id BIGINT UNSIGNED PRIMARY KEY, open TIME, closed TIME(3))",
        "INSERT INTO contacts VALUES (18446744073709551615, '26:30:00', '-01:00:00.5'), (2, '08:00:00', NULL)",
    )
    side = connector(mariadb)
    shown = {one.key: (one.fields["open"], one.fields["closed"]) for one in extraction(side)[0]}
    assert shown == {"18446744073709551615": ("26:30:00", "-01:00:00.5"), "2": ("08:00:00", None)}
    assert (
        status(side, update("18446744073709551615", open="27:00:00", closed="-01:00:00.5"))
        == Status.DONE
    )
    found = side.read(CONTACT, "18446744073709551615")
    assert found is not None
    assert found.fields["open"] == "27:00:00"
    assert status(side, update("-1", open="01:00:00")) == Status.STALE


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_birthday_in_a_column_of_moments_keeps_its_day(
    anywhere: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Midnight without a zone is that day's, east and west of Greenwich, in each way of reading, and after a write."""
    kind = "TIMESTAMP" if anywhere.startswith("postgresql") else "DATETIME"
    run(
        anywhere,
        f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, born {kind}, seen {kind})",
        "INSERT INTO contacts VALUES (1, '1990-05-01 00:00:00', '2026-07-01 12:00:00')",
    )
    side = opened(
        SqlSettings(
            anywhere, {CONTACT: TableSettings("contacts", modified_at="seen")}, timezone=zone
        )
    )
    [record], _ = extraction(side)
    assert str(record.fields["born"]).startswith("1990-05-01T00:00:00")
    assert record == side.read(CONTACT, "1")
    monkeypatch.setattr("connectors.sql.can_copy", lambda *_: False)
    assert extraction(side)[0] == [record]
    assert (
        status(
            side,
            Write(
                "op",
                OpKind.UPDATE,
                CONTACT,
                "1",
                fields={"born": "1991-12-31"},
                expected=record.fields,
            ),
        )
        == Status.DONE
    )
    found = side.read(CONTACT, "1")
    assert found is not None
    assert str(found.fields["born"]).startswith("1991-12-31T00:00:00")


def test_what_python_cannot_hold_is_text_in_each_way_of_reading(postgresql: str) -> None:
    """Infinity, BC, 24:00 and NaN stop nothing, are no blank, and read the same in bulk, by keys and one by one."""
    run(
        postgresql,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, d DATE, t TIME, s TIMESTAMP, z TIMESTAMPTZ, f FLOAT8, n NUMERIC)",
        "INSERT INTO contacts VALUES (1, '2026-01-02', '08:00', '2026-01-02', '2026-01-02', 1.5, 0.000000000001),"
        " (2, 'infinity', '24:00', 'infinity', '-infinity', 'NaN', 'NaN'), (4, NULL, NULL, NULL, NULL, NULL, NULL),"
        " (3, '0044-03-15 BC', '08:00', '0044-03-15 BC', '0044-03-15 BC', '-Infinity', 1e30), (5, '12026-01-02', NULL,"
        " '9999-12-31 23:59:59', '9999-12-31', '-0', 10)",
    )
    side = connector(postgresql)
    records, proof = extraction(side)
    assert proof.complete
    shown = {one.key: one for one in records}
    assert shown["1"].fields["n"] == "0.000000000001"
    assert [shown["2"].fields[name] for name in "dtszf"] == [
        "infinity",
        "24:00:00",
        "infinity",
        "-infinity",
        "NaN",
    ]
    assert [shown["3"].fields[name] for name in "df"] == ["0044-03-15 BC", "-Infinity"]
    by_keys, proof = extraction(side, scope=Scope(keys=tuple("12345")))
    assert proof.complete
    assert (
        {one.key: one for one in by_keys}
        == shown
        == {key: side.read(CONTACT, key) for key in shown}
    )
    for key, name, done in (
        ("2", "f", "rejected"),
        ("2", "d", "rejected"),
        ("1", "n", "done"),
        ("5", "s", "done"),
    ):
        value = shown[key].fields[name]
        write = Write(
            "op", OpKind.UPDATE, CONTACT, key, fields={name: value}, expected={name: value}
        )
        assert status(side, write) == done
    assert {one.key: one for one in extraction(side)[0]} == shown


def test_mariadbs_bits_are_numbers(mariadb: str) -> None:
    """BIT(n) shows the number that it holds, and takes one."""
    run(
        mariadb,
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, b BIT(8))",
        "INSERT INTO contacts VALUES (1, 200)",
    )
    side = connector(mariadb)
    [record], _ = extraction(side)
    assert (record.fields["b"], side.read(CONTACT, "1")) == (200, record)
    assert (
        status(
            side, Write("op", OpKind.UPDATE, CONTACT, "1", fields={"b": 16}, expected={"b": 200})
        )
        == Status.DONE
    )
    assert status(side, update("1", b=-1)) == Status.REJECTED
    found = side.read(CONTACT, "1")
    assert found is not None
    assert found.fields["b"] == 16


def test_a_view_that_says_no_key_claims_none(sqlite: str) -> None:
    """An insert through a view's trigger gives no key: the answer has none, so that the core looks for the record."""
    run(
        sqlite,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE VIEW contacts AS SELECT id, name FROM people",
        "CREATE TRIGGER made INSTEAD OF INSERT ON contacts BEGIN INSERT INTO people (name) VALUES (NEW.name); END",
    )
    side = connector(sqlite)
    write = create(CONTACT, {"name": "Ann"})
    [reply] = side.write([write])
    assert (reply.key, reply.record) == (None, None)
    assert [one.key for one in side.look(write)] == ["1"]


def test_a_port_that_is_none_is_told(tmp_path: Path) -> None:
    """A URL with a port that is no number is a problem of the settings, without the URL in it."""
    with pytest.raises(ConfigError) as caught:
        database_url("postgresql://ann:secret@host:54x2/app")
    assert "not a database URL" in str(caught.value)
    assert "secret" not in str(caught.value)
