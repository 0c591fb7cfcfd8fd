"""The ledger and the journal: transactions, the lease, answers, and what is in doubt."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import reconcile.ledger.migrations
from reconcile.errors import Locked, StateError
from reconcile.ledger import runs, schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Decision, Ledger, PairState, newest
from reconcile.model import Entity, Outcome, Status
from tests.builders import hold_of, operation_of
from tests.connectors.databases import fresh_database

T0, T1, T2 = "2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z", "2026-01-01T00:06:00.000Z"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database for the ledger."""
    yield from fresh_database(request.param, tmp_path)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    made = Ledger(url, "p")
    yield made
    made.close()


def _link(number: int, **members: object) -> dict[str, object]:
    blank = {f"{side}_{what}": None for side in ("app", "ghl") for what in ("modified", "written")}
    usual: dict[str, object] = {
        "entity": "contact",
        "link_id": f"l{number}",
        "app_key": f"a{number}",
        "ghl_key": f"g{number}",
        "parent": None,
        "how": "email",
        "since_run": "r1",
        "app_cells": "{}",
        "ghl_cells": "{}",
        "app_digest": 2**62,
        "ghl_digest": 1,
        "app_absent": 0,
        "ghl_absent": 0,
    }
    return {**usual, **blank, **members}


def test_a_transaction_is_all_or_nothing(ledger: Ledger) -> None:
    """A settlement that fails half way leaves neither links nor a new generation."""

    def settle() -> None:
        with ledger.transaction() as connection:
            ledger.advance(connection, PairState(generation=1))
            ledger.put_links(connection, [_link(1), _link(2, app_key="a1")])

    with pytest.raises(sa.exc.IntegrityError):
        settle()
    assert ledger.state().generation == 0
    assert ledger.linked_keys(Entity.CONTACT, "app", ["a1", "a2"]) == set()


def test_digests_of_63_bits_survive(ledger: Ledger) -> None:
    """The largest digest that the stage makes comes back as it was."""
    with ledger.transaction() as connection:
        ledger.put_links(connection, [_link(1, app_digest=2**63 - 1)])
    ((row,),) = ledger.links(Entity.CONTACT, ["app_digest"])
    assert row[0] == 2**63 - 1


def test_keys_with_quotes_are_keys(ledger: Ledger) -> None:
    """A key with quotes, percent signs or backslashes is stored and found as it is."""
    nasty = ["o'brien", '"x"', "50%_\\", "a; DROP TABLE link", "ключ", " x "]
    with ledger.transaction() as connection:
        ledger.put_links(connection, [_link(n, app_key=key) for n, key in enumerate(nasty)])
    assert ledger.linked_keys(Entity.CONTACT, "app", nasty) == set(nasty)


def test_the_lease_keeps_a_second_run_out(ledger: Ledger, url: str) -> None:
    """While one holder's lease runs, another is refused by name; when it has expired, it may take over."""
    other = Ledger(url, "p")
    ledger.acquire("first", now=T0, until=T1)
    with pytest.raises(Locked, match="first"):
        other.acquire("second", now=T0, until=T1)
    ledger.acquire("first", now=T0, until=T1)
    other.acquire("second", now=T2, until="2026-01-01T00:11:00.000Z")
    with pytest.raises(Locked, match="second"):
        ledger.acquire("first", now=T2, until="2026-01-01T00:11:00.000Z")
    other.close()


def test_a_released_lease_is_free(ledger: Ledger) -> None:
    """Only the holder can give a lease back; then anyone may take it."""
    ledger.acquire("first", now=T0, until=T1)
    ledger.release("second")
    with pytest.raises(Locked):
        ledger.acquire("second", now=T0, until=T1)
    ledger.release("first")
    ledger.acquire("second", now=T0, until=T1)


def test_pairs_share_a_database_and_nothing_else(ledger: Ledger, url: str) -> None:
    """Two pairs in one ledger do not see one another's links, state or lease."""
    other = Ledger(url, "q")
    with ledger.transaction() as connection:
        ledger.put_links(connection, [_link(1)])
        ledger.advance(connection, PairState(generation=3))
    ledger.acquire("first", now=T0, until=T1)
    other.acquire("first", now=T0, until=T1)
    with other.transaction() as connection:
        other.put_links(connection, [_link(1)])
    assert other.state().generation == 0
    other.close()


def test_an_open_hold_keeps_its_age_and_its_answer_until_the_values_change(ledger: Ledger) -> None:
    """A hold that is seen again keeps first_seen and decision; with other values the decision is forgotten."""
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [hold_of()], run_id="r1", at=T0)
    ledger.decide(Decision("h1", "app", "d1", "Ada", T1, "newer"))
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [hold_of()], run_id="r2", at=T1)
    (row,) = ledger.holds()
    assert (row.first_seen, row.first_run, row.last_run, row.decision) == (T0, "r1", "r2", "app")
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [hold_of(values_digest="d2")], run_id="r3", at=T2)
    assert ledger.decisions() == []


def test_a_hold_that_is_no_more_is_closed(ledger: Ledger) -> None:
    """A question that a run does not ask again is closed."""
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [hold_of()], run_id="r1", at=T0)
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [], run_id="r2", at=T1)
    assert ledger.holds() == []
    assert len(ledger.holds(only_open=False)) == 1


def test_an_answer_to_no_question_is_an_error(ledger: Ledger) -> None:
    """Deciding a hold that does not exist says so."""
    with pytest.raises(StateError, match="no hold h9"):
        ledger.decide(Decision("h9", "app", "", "Ada", T0, ""))


def test_an_answer_to_values_that_changed_is_an_error(ledger: Ledger) -> None:
    """An answer counts for what the person was shown; when the values moved meanwhile it is refused, not kept."""
    with ledger.transaction() as connection:
        runs.put_holds(ledger, connection, [hold_of(values_digest="d2")], run_id="r1", at=T0)
    with pytest.raises(StateError, match="no hold h1 about these values"):
        ledger.decide(Decision("h1", "app", "d1", "Ada", T1, ""))
    assert ledger.decisions() == []


def test_a_newer_versions_ledger_is_left_alone(ledger: Ledger, url: str) -> None:
    """A ledger that a newer version migrated is refused with what to do."""
    with ledger.transaction() as connection:
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '9999'"))
    with pytest.raises(StateError, match="newer version"):
        Ledger(url, "p")


def test_the_newest_version_is_the_head_of_the_migrations() -> None:
    """The newest version is known by the numbers of the files, and is the one at which the migrations end."""
    config = Config()
    config.set_main_option(
        "script_location", str(Path(reconcile.ledger.migrations.__file__).parent)
    )
    assert ScriptDirectory.from_config(config).get_heads() == [newest()]


def test_a_ledger_of_the_newest_version_is_opened_without_migrating(
    ledger: Ledger, url: str
) -> None:
    """Opening a ledger that is up to date does not even import what migrates it."""
    assert ledger.state().generation == 0
    code = f"import sys; from reconcile.ledger.ledger import Ledger; Ledger({url!r}, 'p').close(); sys.exit('alembic' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0  # noqa: S603
    )


def test_begun_and_not_ended_is_in_doubt_and_so_is_an_answer_that_was_lost(ledger: Ledger) -> None:
    """The journal names what has to be looked up: intents without a result, and results that say uncertain."""
    journal = Journal(ledger, "r1")
    operations = [operation_of(op_id=f"op{n}") for n in range(3)]
    journal.begin(operations, T0)
    journal.end(Outcome("op0", Status.DONE, key="g1"), T1)
    journal.end(Outcome("op1", Status.UNCERTAIN), T1)
    assert [o.op_id for o in journal.in_doubt()] == ["op1", "op2"]
    assert journal.summary() == {"done": 1, "uncertain": 1, "in_doubt": 1}
    ((operation, outcome), _) = journal.entries()
    assert operation == operations[0]
    assert outcome == Outcome("op0", Status.DONE, key="g1", settled_at=T1)


def test_a_ledger_that_cannot_be_opened_says_what_to_check(tmp_path: Path) -> None:
    """A folder in the ledger's place is a StateError with a remedy, and no trace of a driver."""
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(
        StateError, match=r"the ledger cannot be opened.*check the `ledger` setting"
    ):
        Ledger(f"sqlite:///{tmp_path}/ledger.db", "p")


def test_runs_come_newest_first(ledger: Ledger) -> None:
    """The pair's runs are listed newest first, and the interrupted ones oldest first."""
    for at, name in ((T0, "r1"), (T1, "r2")):
        runs.start(ledger, name, "nightly", at=at)
        runs.mark(ledger, name, state="applying")
    assert [run.run_id for run in runs.runs(ledger)] == ["r2", "r1"]
    assert runs.unsettled(ledger) == ["r1", "r2"]
    assert schema.run.c.run_id is not None


def test_a_server_tells_the_time_of_leases(ledger: Ledger, url: str) -> None:
    """Machines that share a server may have clocks of their own; those that share a file are one."""
    told = ledger.moment()
    assert (told is None) == url.startswith("sqlite")
    assert told is None or told.tzinfo is not None


def test_a_lease_in_the_future_is_cut_to_its_own_length(tmp_path: Path) -> None:
    """A holder whose clock was an hour ahead is waited for as long as a lease is, not for an hour; who lives renews it."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", "p")
    ledger.acquire("ahead", now="2026-01-01T01:00:00.000Z", until="2026-01-01T01:05:00.000Z")
    with pytest.raises(Locked):
        ledger.acquire("next", now=T0, until=T1)
    with pytest.raises(Locked):
        ledger.acquire("next", now="2026-01-01T00:04:59.000Z", until="2026-01-01T00:09:59.000Z")
    ledger.acquire("next", now=T1, until=T2)
    ledger.close()
