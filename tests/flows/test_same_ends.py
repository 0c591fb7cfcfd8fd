"""Two pairs on one application and one GHL location: the second one is refused by the name of the first, since it would double people."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.sql.engine import database_url, place_of
from flows.config import load
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.world import DATABASE_FILE, open_sandbox
from flows.doctor import Finding, Level, check
from flows.doctor.finding import ok
from flows.opening import open_run
from flows.run import Options
from flows.steps import ends
from reconcile.errors import Refused
from reconcile.ledger import runs, schema
from reconcile.ledger.ledger import Ledger
from tests.connectors.databases import server_url
from tests.flows.acme import Acme
from tests.flows.calls import say

ALLOWED = frozenset({"same-ends", "creates", "first-creates"})


def second(acme: Acme, **changed: str) -> Path:
    """A copy of the pair file under another name, in the same ledger, with parts of its text changed."""
    text = acme.pair.read_text(encoding="utf-8").replace('pair = "acme"', 'pair = "acme-copy"')
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    copy = acme.folder / "copy.toml"
    copy.write_text(text, encoding="utf-8")
    return copy


def people(acme: Acme) -> int:
    """How many contacts the location holds."""
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        return len(sandbox.contacts(LOCATION))


def written(pair: Path, *allowed: str) -> None:
    """What a run of that pair does before its first write."""
    with open_run(load(pair), Options(allowed=frozenset(allowed))) as run:
        ends.check(run)
        ends.claim(run)
        runs.mark(run.ledger, run.run_id, state="settled")


def test_a_second_pair_on_both_ends_is_refused_by_name(tmp_path: Path) -> None:
    """The first pair is named and nothing is written; an audit reads on, and so does the first pair."""
    acme = Acme.settled(tmp_path / "acme")
    there, copy = people(acme), second(acme)
    with pytest.raises(Refused, match="pair 'acme'") as refusal:
        acme.run(pair=copy, allowed=ALLOWED - {"same-ends"})
    assert refusal.value.code == "ENDS_HELD"
    assert "--allow same-ends" in refusal.value.remedy
    assert people(acme) == there
    assert acme.run(pair=copy, job="audit").told.exit_code < 3
    assert acme.run().told.exit_code < 2


@pytest.mark.parametrize("app", ["rest", "csv"])
def test_whatever_the_app_is_made_of(tmp_path: Path, app: str) -> None:
    """A JSON API is known by its address, files by their paths."""
    acme = Acme.made(tmp_path / "acme", contacts=44, app_url=app)
    written(acme.pair)
    with pytest.raises(Refused, match="pair 'acme'"):
        written(second(acme))
    written(acme.pair)


def test_it_is_found_under_another_spelling(tmp_path: Path) -> None:
    """A link to the database's file leads to the same database."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    written(acme.pair)
    (acme.folder / "other.db").symlink_to(acme.folder / DATABASE_FILE)
    with pytest.raises(Refused, match="pair 'acme'"):
        written(second(acme, **{f"sqlite:///{DATABASE_FILE}": "sqlite:///other.db"}))


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_a_server_is_known_by_itself(server: str) -> None:
    """By another host name and user it is the same table, by another schema or name it is another one."""
    url = database_url(server_url(server))
    spelled = [url.set(host=host) for host in ("127.0.0.1", "localhost")]
    engines = [sa.create_engine(each, poolclass=sa.NullPool) for each in spelled]
    table = sa.Table("people", sa.MetaData())
    assert len({place_of(engine, table) for engine in engines}) == 1
    others = [
        sa.Table("people", sa.MetaData(), schema="another"),
        sa.Table("persons", sa.MetaData()),
    ]
    assert len({place_of(engines[0], each) for each in (table, *others)}) == 3


def test_a_renamed_pair_takes_the_ends_over(tmp_path: Path) -> None:
    """Allowed by name once, they are its own from then on; the former pair is refused in its turn."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    written(acme.pair)
    copy = second(acme)
    written(copy, "same-ends")
    written(copy)
    with pytest.raises(Refused, match="pair 'acme-copy'"):
        written(acme.pair)


def test_a_pair_of_an_earlier_version_holds_its_ends_too(tmp_path: Path) -> None:
    """What was settled before the ledger kept the ends is known by the identities of both sides."""
    acme = Acme.settled(tmp_path / "acme")
    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")
    with ledger.transaction() as connection:
        connection.execute(sa.delete(schema.ends))
    ledger.close()
    with pytest.raises(Refused, match="pair 'acme'"):
        written(second(acme))
    written(acme.pair)


def test_another_table_or_another_location_is_another_end(tmp_path: Path) -> None:
    """Pairs that share one end alone are no twins: both run."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    written(acme.pair)
    engine = sa.create_engine(f"sqlite:///{acme.folder / DATABASE_FILE}")
    tables = ("people", "todos", "remarks")
    with engine.begin() as connection:
        for name in tables:
            definition = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
            ).scalar_one()
            connection.exec_driver_sql(
                definition.replace(f"TABLE {name}", f"TABLE other_{name}", 1)
            )
    engine.dispose()
    written(second(acme, **{f'table = "{name}"': f'table = "other_{name}"' for name in tables}))
    shutil.copy(acme.folder / SANDBOX_FILE, acme.folder / "other-sandbox.db")
    written(second(acme, **{f"sandbox:{SANDBOX_FILE}": "sandbox:other-sandbox.db"}))


def test_two_first_runs_at_once(tmp_path: Path) -> None:
    """Where both have looked before either wrote, the one that comes second to writing is refused before it writes."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    with open_run(load(acme.pair), Options()) as one:
        ends.check(one)
        written(second(acme))
        with pytest.raises(Refused, match="pair 'acme-copy'"):
            ends.claim(one)


def test_the_doctor_says_so(tmp_path: Path) -> None:
    """It names the other pair, and where all is well it says that other ledgers are out of its sight."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    written(acme.pair)
    said = _ends(check(load(acme.pair), server=lambda: [ok("not started")]))
    assert (said.level, "of this ledger alone" in said.what) == (Level.OK, True)
    said = _ends(check(load(second(acme)), server=lambda: [ok("not started")]))
    assert said.level is Level.ERROR
    assert "'acme'" in said.what


def _ends(findings: list[Finding]) -> Finding:
    (found,) = [finding for finding in findings if "both ends" in finding.what]
    return found


def test_the_commands_take_the_name(tmp_path: Path) -> None:
    """`plan` shows what a renamed pair would do, and `run` does it, with the ends taken over by name."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    written(acme.pair)
    copy = second(acme)
    refused = say("plan", "--pair", copy)
    assert refused.code == 3
    assert "[ENDS_HELD]" in refused.errors
    assert say("plan", "--pair", copy, "--allow", "same-ends").code < 3
    assert say("run", "--engine", "local", "--pair", copy).code == 3
    names = [word for name in sorted(ALLOWED) for word in ("--allow", name)]
    assert say("run", "--engine", "local", "--pair", copy, *names).code < 3
