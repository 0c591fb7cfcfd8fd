"""What fails behind the boundary to an orchestrator is told without a value, a secret or a side's own words, whatever raised it."""

from __future__ import annotations

import ast
import asyncio
import logging
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from connectors.http import Client, Request
from flows.config import load
from flows.errors import message_of, reason
from flows.logs import Lines
from flows.orchestration.sealed import Failed, outward, sealed, unsealed
from reconcile.errors import ConfigError, Expired, InvalidField, Refused
from reconcile.report.markdown import markdown
from reconcile.report.mask import masked
from tests.builders_report import change_of, report_of
from tests.connectors.databases import fresh_database
from tests.flows.broken import GOOD

ROOT = Path(__file__).parents[2]
VALUE = "Zqx-Ann@example.com"
TOKEN = "pit-0f1e2d3c-5a6b\u200b"


def _failing(kind: str) -> Exception:
    match kind:
        case "words of a side":
            return InvalidField(
                f"POST /people was answered 400: already exists as {VALUE}", status=400
            )
        case "a value in an error of Python's":
            return ValueError(f"invalid literal: {VALUE!r}")
        case "a token that cannot be encoded":
            return UnicodeEncodeError("ascii", TOKEN, 17, 18, "ordinal not in range(128)")
        case "parameters of a statement":
            return sa.exc.OperationalError(
                "INSERT …", {"email": VALUE}, Exception("database or disk is full")
            )
    return sa.exc.DataError(
        "INSERT …", {}, Exception(f'invalid input syntax for type integer: "{VALUE}"')
    )


KINDS = [
    *("words of a side", "a value in an error of Python's", "a token that cannot be encoded"),
    *("parameters of a statement", "words of a database"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_failure_comes_through_but_code_and_remedy(kind: str) -> None:
    """Neither the text, nor the cause, context or traceback of what comes out holds the value; within the process it is whole."""
    error = _failing(kind)

    def body() -> None:
        try:
            raise KeyError(VALUE)  # noqa: TRY301 - so that there is a cause and a context
        except KeyError as first:
            raise error from first

    with pytest.raises(Failed) as caught:
        sealed(body)()
    out = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value)
    assert VALUE not in out
    assert TOKEN not in out
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert caught.value.args == (outward(error),)
    with pytest.raises(type(error)) as whole:
        unsealed(sealed(body))
    assert whole.value is error


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_goes_to_another_process_by_its_words_alone(kind: str) -> None:
    """Dask sends what failed in a task to the flow: it says the same there, and the error itself stays behind."""
    error = _failing(kind)

    def body() -> None:
        raise error

    with pytest.raises(Failed) as caught:
        sealed(body)()
    sent = pickle.dumps(caught.value)
    assert VALUE.encode() not in sent
    arrived = pickle.loads(sent)  # noqa: S301 - made above
    assert str(arrived) == outward(error)

    def fails() -> None:
        raise arrived

    with pytest.raises(Failed) as again:
        unsealed(fails)
    assert again.value is arrived


@pytest.mark.parametrize("kind", KINDS[1:])
def test_terminals_and_logs_tell_no_value(kind: str) -> None:
    """Of an error that has no name of the product's own a person and the log are told kind and place, never its text."""
    error = _failing(kind)
    record = logging.makeLogRecord({"msg": "it failed", "exc_info": (type(error), error, None)})
    for text in (message_of(error), reason(error), Lines().format(record)):
        assert VALUE not in text
        assert TOKEN not in text


def test_what_a_person_can_act_on_comes_through() -> None:
    """A limit's figures, and the remedy of a failure with its code and status, are told."""
    assert "12 deletes" in outward(Refused("12 deletes", remedy="look at the plan"))
    expired = outward(Expired("words", remedy="log in", status=401))
    assert "[EXPIRED]" in expired
    assert "401" in expired
    assert "log in" in expired


def test_every_flow_and_task_is_sealed() -> None:
    """Each function that Prefect runs has the boundary right around its body."""
    found = 0
    for file in (ROOT / "flows").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [_name(each) for each in getattr(node, "decorator_list", ())]
            if "flow" in names or "task" in names:
                found += 1
                assert names[-1] == "sealed", (file.name, names)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Call)
                and _name(node.func) == "task"
            ):
                assert [_name(each) for each in node.args] == ["sealed"], file.name
                found += 1
    assert found >= 11


def test_no_flow_and_no_task_keeps_its_result() -> None:
    """Each of them says persist_result=False, whatever Prefect's settings are."""
    for file in (ROOT / "flows").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node) in ("flow", "task") and node.keywords:
                said = {each.arg: ast.unparse(each.value) for each in node.keywords}
                assert said.get("persist_result") == "False", (file.name, node.lineno)


def _name(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.id if isinstance(called, ast.Name) else ""


def test_every_engine_hides_parameters() -> None:
    """No engine of the product puts a statement's values into its errors."""
    for folder in ("flows", "reconcile", "connectors"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "create_engine":
                    assert "hide_parameters" in {each.arg for each in node.keywords}, file


STATEMENTS = {
    "insert, unique": "INSERT INTO people VALUES (1, :value, 5)",
    "insert, null": "INSERT INTO people (id, email, age) SELECT NULL, :value, NULL",
    "insert, kind": "INSERT INTO people VALUES (2, 'b', :value)",
    "insert, check": "INSERT INTO people VALUES (3, :value, -1)",
    "update, unique": "UPDATE people SET email = :value WHERE id = 7",
    "delete, reference": "DELETE FROM people WHERE email = :value",
    "select, no column": "SELECT nothing FROM people WHERE email = :value",
    "select, kind": "SELECT CAST(:value AS SIGNED INTEGER) FROM people, nowhere",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    from connectors.sql.engine import database_url

    for url in fresh_database(request.param, tmp_path_factory.mktemp("sealed")):
        made = sa.create_engine(database_url(url), poolclass=sa.NullPool, hide_parameters=True)
        with made.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, email VARCHAR(60) UNIQUE NOT NULL, age INTEGER NOT NULL CHECK (age > 0))"
            )
            connection.exec_driver_sql(
                "CREATE TABLE notes (id INTEGER, email VARCHAR(60), FOREIGN KEY (email) REFERENCES people (email))"
            )
            connection.execute(
                sa.text("INSERT INTO people VALUES (1, :value, 3), (7, 'other', 3)"),
                {"value": VALUE},
            )
            connection.execute(sa.text("INSERT INTO notes VALUES (1, :value)"), {"value": VALUE})
        yield made
        made.dispose()


@pytest.mark.parametrize("kind", STATEMENTS)
def test_no_statement_that_a_database_refuses_tells_its_values(
    engine: sa.Engine, kind: str
) -> None:
    """Whatever a database says of a statement that fails, the value in it reaches neither a person, nor a log, nor Prefect."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        if engine.dialect.name == "sqlite" and kind == "insert, kind":
            pytest.skip("SQLite takes a text in a column of numbers")
        with pytest.raises(sa.exc.SQLAlchemyError) as caught:
            connection.execute(sa.text(STATEMENTS[kind]), {"value": VALUE})
    error = caught.value
    assert VALUE not in f"{message_of(error)}{reason(error)}{outward(error)}"
    assert "parameters hidden" in str(error)


def test_a_token_that_no_header_can_carry_is_not_told() -> None:
    """A request that cannot be made fails by name, before anything is sent, without the token in it."""
    client = Client(
        "http://side.invalid",
        auth=_Auth(),
        transport=httpx.MockTransport(lambda _: httpx.Response(200)),
    )
    for request in (
        Request("GET", "/x"),
        Request("POST", "/x", body={"name": "\ud83d"}),
        Request("GET", "/x\x00"),
    ):
        with pytest.raises(InvalidField) as caught:
            client.send(request)
        assert caught.value.code == "UNMADE"
        assert caught.value.__context__ is None
        assert TOKEN not in "".join(traceback.format_exception(caught.value))


class _Auth:
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    def renew(self, refused: Any) -> bool:
        return False


@pytest.mark.parametrize("kept", ["env", "file", "here"])
def test_a_secret_with_a_stray_character_is_refused_when_it_is_loaded(
    tmp_path: Path, kept: str
) -> None:
    """An invisible character, as copy and paste adds it, is named with its place; the secret is not."""
    (tmp_path / "token.txt").write_text(TOKEN + "x\n", encoding="utf-8")
    (tmp_path / "token.txt").chmod(0o600)
    written = {"env": "env:TOKEN", "file": "file:token.txt", "here": TOKEN + "x"}[kept]
    pair = tmp_path / "pair.toml"
    pair.write_text(GOOD.replace('"env:GHL_TOKEN"', f'"{written}"'), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(pair, environ={"TOKEN": TOKEN + "x", "DB": "sqlite:///app.db"})
    assert "U+200B" in str(caught.value)
    assert TOKEN[:8] not in str(caught.value)


def test_a_sides_words_are_not_in_what_prefect_keeps_of_a_report() -> None:
    """What an API said of a record, and why a run stopped, is in the report alone; Markdown of a stranger makes no link."""
    said = f"POST /people was answered 400: already exists as {VALUE}"
    whole = report_of(5)
    link = "[click](http://evil.example)"
    whole["changes"].append(
        change_of(7, status="rejected", code="INVALID_FIELD", detail=said, label=link, because=link)
    )
    whole["stopped"] = f"[INVALID_FIELD] {said} → correct it"
    whole["verdict"]["sentences"].append(whole["stopped"])
    whole["alerts"] = [{"name": "x", "severity": "error", "what": whole["stopped"]}]
    told_outside = masked(whole)
    assert "already exists" not in str(told_outside)
    assert "correct it" in str(told_outside["verdict"]["sentences"])
    for text in (markdown(told_outside), markdown(whole)):
        assert "click" in text
        assert not re.search(r"(?<!\\)\]\(", text)


def test_prefect_keeps_nothing_of_a_failure(prefect: Path, tmp_path: Path) -> None:
    """A flow and its task that fail with a value leave neither it nor its causes in Prefect's database."""
    from prefect import flow

    from flows.orchestration.engine import as_task

    def step() -> None:
        raise ValueError(VALUE)

    @flow(name="sealed-test", persist_result=False)
    @sealed
    def fails() -> None:
        as_task(step)

    with pytest.raises(Failed):
        fails()
    states = asyncio.run(_states())
    assert any("DEFECT" in state for state in states)
    assert not [state for state in states if VALUE in state]
    content = b"".join(file.read_bytes() for file in prefect.rglob("*") if file.is_file())
    assert VALUE.encode() not in content


async def _states() -> list[str]:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        runs = [*await client.read_flow_runs(limit=50), *await client.read_task_runs(limit=50)]
        return [str(run.state) for run in runs]


def test_a_server_of_prefects_that_does_not_start_is_no_defect() -> None:
    """What to do about it is said, and nothing of what the server printed."""
    error = RuntimeError(
        f"Timed out while attempting to connect to ephemeral Prefect API server. stderr: {VALUE}"
    )
    said = reason(error)
    assert said.startswith("[PREFECT] ")
    assert "--engine local" in said
    assert VALUE not in said
