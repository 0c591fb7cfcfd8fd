"""What SQL can reach: whichever connection of the product it gets into, the files of that one job and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import duckdb
import pytest

from connectors.files.parquetfile import ParquetSheet
from connectors.files.settings import FileSettings
from flows.init.files import survey_files
from reconcile.stage.archive import Archived
from reconcile.stage.confinement import confined
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping

Sql = duckdb.DuckDBPyConnection

REACHING_OUT = {
    "a file by function": "FROM read_csv('{elsewhere}/secret.csv')",
    "a file as text": "FROM read_text('{elsewhere}/secret.csv')",
    "a file by name": "FROM '{elsewhere}/secret.csv'",
    "the machine's accounts": "FROM read_csv('/etc/passwd')",
    "by way of its own folder": "FROM read_csv('{own}/../elsewhere/secret.csv')",
    "by a link in its own folder": "FROM read_csv('{own}/way_out/secret.csv')",
    "a folder's listing": "FROM glob('{elsewhere}/*')",
    "another database": "ATTACH '{elsewhere}/other.duckdb'",
    "writing": "COPY (SELECT 1) TO '{elsewhere}/out.csv'",
    "writing everything": "EXPORT DATABASE '{elsewhere}'",
    "the network": "FROM read_csv('http://127.0.0.1:9/x.csv')",
    "an extension": "INSTALL httpfs",
    "an extension of anybody": "INSTALL h3 FROM community",
    "an extension that is there": "LOAD httpfs",
    "an extension from a file": "LOAD '{elsewhere}/x.duckdb_extension'",
    "a variable of Python": "FROM REACHING_OUT",
    "opening it again": "SET enable_external_access = true",
    "more folders": "SET allowed_directories = ['/']",
    "more files": "SET allowed_paths = ['/etc/passwd']",
    "another place to spill": "SET temp_directory = '{elsewhere}'",
    "extensions of anybody": "SET allow_community_extensions = true",
    "extensions of nobody": "SET allow_unsigned_extensions = true",
}


@contextmanager
def _stage(folder: Path) -> Iterator[Sql]:
    with Stage(folder, memory_limit="64MB", threads=1) as stage:
        yield stage.sql


@contextmanager
def _cursor_of_a_stage(folder: Path) -> Iterator[Sql]:
    with Stage(folder, memory_limit="64MB", threads=1) as stage, stage.cursor() as cursor:
        yield cursor


@contextmanager
def _archive(folder: Path) -> Iterator[Sql]:
    (folder / "archive.json").write_text('{"entities": {}, "snapshots": []}')
    with Archived(folder) as archived:
        yield archived.sql


@contextmanager
def _stage_of_a_killed_run(folder: Path) -> Iterator[Sql]:
    with Stage(folder, memory_limit="64MB", threads=1):
        pass
    with Archived(folder, mapping=Mapping(())) as archived:
        yield archived.sql


@contextmanager
def _parquet_of_the_app(folder: Path) -> Iterator[Sql]:
    with ParquetSheet(
        _parquet(folder), "contacts.parquet", FileSettings(path="contacts.parquet")
    )._opened() as (
        sql,
        _,
    ):
        yield sql


def _parquet(folder: Path) -> bytes:
    path = folder / "made.parquet"
    with duckdb.connect() as sql:
        sql.execute(f"COPY (SELECT 'Ann' AS name, 1 AS id) TO '{path}'")
    return path.read_bytes()


Opener = Callable[[Path], AbstractContextManager[Sql]]
OPENERS: dict[str, Opener] = {
    "a stage": _stage,
    "a cursor of a stage": _cursor_of_a_stage,
    "an archive": _archive,
    "the stage of a killed run": _stage_of_a_killed_run,
    "a Parquet file of the app": _parquet_of_the_app,
}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A job's own folder, and another one with a file in it that a link in the first leads to."""
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    own.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret.csv").write_text("token\npit-secret\n")
    (own / "way_out").symlink_to(elsewhere)
    return {"own": own, "elsewhere": elsewhere}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_sql_reaches_nothing_outside(opener: Opener, places: dict[str, Path]) -> None:
    """In every connection that the product opens, SQL can neither read nor write outside, load an extension, nor allow itself to."""
    reached = []
    with opener(places["own"]) as sql:
        for what, statement in REACHING_OUT.items():
            try:
                sql.execute(statement.format(**places)).fetchall()
            except duckdb.Error:
                continue
            reached.append(what)
    assert reached == []
    assert [path.name for path in places["elsewhere"].iterdir()] == ["secret.csv"]


def test_the_same_statements_work_where_nothing_is_confined(places: dict[str, Path]) -> None:
    """DuckDB as it comes lets those through that read and write here: it is the confinement that stops them."""
    with duckdb.connect() as sql:
        for what in (
            "a file by function",
            "a file by name",
            "by a link in its own folder",
            "a folder's listing",
            "writing",
        ):
            assert sql.execute(REACHING_OUT[what].format(**places)).fetchall(), what


def test_what_is_named_can_be_reached(places: dict[str, Path]) -> None:
    """A named folder and a named file are read and written, and a database in memory is attached."""
    own, elsewhere = places["own"], places["elsewhere"]
    with confined(folders=[own], files=[elsewhere / "secret.csv"]) as sql:
        assert sql.execute(f"FROM read_csv('{elsewhere}/secret.csv')").fetchall() == [
            ("pit-secret",)
        ]
        sql.execute(f"COPY (SELECT 7 AS seven) TO '{own}/seven.parquet'").fetchall()
        assert sql.execute(f"FROM '{own}/seven.parquet'").fetchall() == [(7,)]
        sql.execute(
            "ATTACH ':memory:' AS beside; CREATE TABLE beside.main.made AS SELECT 1"
        ).fetchall()


def test_init_reads_the_one_file(tmp_path: Path) -> None:
    """`init` looks into a Parquet file by a connection that knows that file alone."""
    _parquet(tmp_path)
    (table,) = survey_files(tmp_path / "made.parquet").tables
    assert {column.name: column.samples for column in table.columns} == {
        "name": ("Ann",),
        "id": ("1",),
    }


def test_a_stage_still_spills(tmp_path: Path) -> None:
    """What does not fit into memory goes to the stage's own folder, as before."""
    with Stage(tmp_path / "run", memory_limit="24MB", threads=1) as stage:
        rows = "SELECT i, md5(i::VARCHAR) AS text FROM range(300_000) numbers(i)"
        stage.run(f"CREATE TABLE sorted AS SELECT * FROM ({rows}) ORDER BY text")
        assert stage.count("SELECT count(*) FROM sorted") == 300_000
        assert (tmp_path / "run" / "spill").is_dir()
