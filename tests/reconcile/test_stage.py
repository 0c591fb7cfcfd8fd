"""What the stage does for the steps on it: fetch ahead, work side by side, give memory back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import repeat
from pathlib import Path

import duckdb
import pytest

from reconcile.model import Entity, Side
from reconcile.ports import Page
from reconcile.stage.spooled import Bounds
from reconcile.stage.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, memory_limit="256MB") as made:
        yield made


def test_rows_fetched_ahead_come_in_the_order_of_their_queries(stage: Stage) -> None:
    """However long each takes."""
    stage.run("CREATE TABLE number AS SELECT n FROM range(10000) t(n)")
    queries = (
        f"SELECT n FROM number WHERE n >= {at} AND n < {at + 100} ORDER BY n"
        for at in range(0, 10_000, 100)
    )
    assert [n for rows in stage.ahead(queries) for (n,) in rows] == list(range(10_000))


def test_no_more_queries_are_taken_ahead_than_work_at_once(stage: Stage) -> None:
    """So that a long plan is never whole in memory."""
    taken: list[int] = []

    def queries() -> Iterator[str]:
        for at in range(50):
            taken.append(at)
            yield f"SELECT {at}"

    coming = stage.ahead(queries())
    assert next(coming) == [(0,)]
    assert len(taken) <= 3
    coming.close()


def test_a_query_that_fails_ahead_is_raised_when_its_turn_comes(stage: Stage) -> None:
    """What came before it was good."""
    coming = stage.ahead(["SELECT 1", "SELECT * FROM nowhere"])
    assert next(coming) == [(1,)]
    with pytest.raises(duckdb.CatalogException, match="nowhere"):
        next(coming)


def test_steps_side_by_side_add_to_one_table(stage: Stage) -> None:
    """None of them loses a row."""
    stage.run("CREATE TABLE total (n BIGINT)")

    def add(own: Stage, start: int) -> None:
        for n in range(start, start + 50):
            own.run(f"INSERT INTO total SELECT {n}")

    stage.together(*(partial(add, start=start) for start in range(0, 400, 50)))
    assert stage.rows("SELECT n FROM total ORDER BY n") == [(n,) for n in range(400)]


def test_pages_of_the_file_go_back_and_the_limit_stays(stage: Stage) -> None:
    """What was read stays readable, and what was concluded stays where it is."""
    stage.run(
        "CREATE TABLE stage.wide AS SELECT n, md5(n::VARCHAR) || md5((n + 1)::VARCHAR) AS text FROM range(2000000) t(n)"
    )
    stage.run("CHECKPOINT stage")
    stage.run("CREATE TABLE concluded AS SELECT n FROM range(1000) t(n)")
    total = stage.one("SELECT count(*), sum(length(text)) FROM wide")
    limit = stage.one("SELECT current_setting('memory_limit')")
    before = _held(stage)
    assert before > 64 << 20, "the pages have to be held first for this to say anything"

    stage.let_go()

    assert _held(stage) <= 64 << 20
    assert stage.one("SELECT current_setting('memory_limit')") == limit
    assert stage.one("SELECT count(*), sum(length(text)) FROM wide") == total
    assert stage.count("SELECT count(*) FROM concluded") == 1000


def test_what_lies_in_memory_rests_on_disk_until_it_is_asked_for(stage: Stage) -> None:
    """Before hours of writing most of what was concluded leaves memory; then all of it is there, and the limit stays."""
    stage.run(
        "CREATE TABLE concluded AS SELECT n, repeat('x', 900) || n AS text FROM range(100000) t(n)"
    )
    total = stage.one("SELECT count(*), sum(length(text)) FROM concluded")
    limit = stage.one("SELECT current_setting('memory_limit')")
    in_memory = "SELECT sum(memory_usage_bytes) FROM duckdb_memory()"
    assert stage.count(in_memory) > 80 << 20, "it has to lie there first for this to say anything"

    stage.rest()

    assert stage.count(in_memory) <= 66 << 20
    assert stage.one("SELECT current_setting('memory_limit')") == limit
    assert stage.one("SELECT count(*), sum(length(text)) FROM concluded") == total


def _held(stage: Stage) -> int:
    return stage.count(
        "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
    )


@pytest.mark.parametrize(
    ("bounds", "page"),
    [
        (Bounds(pages=1_000), Page(b"", 0)),
        (Bounds(bytes=1_000_000), Page(b'{"id": 1}\n' * 100, 100)),
        (Bounds(room=1 << 60), Page(b'{"id": 1}\n', 1)),
    ],
    ids=["pages", "bytes", "room"],
)
def test_pages_that_never_end_are_not_read_for_ever(
    stage: Stage, bounds: Bounds, page: Page
) -> None:
    """Beyond the bound of pages, of bytes, or of room on the disk the reading ends, incomplete, with a code and the remedy."""
    stage.bounds = bounds
    spooled = stage.spool(Entity.CONTACT, Side.APP, repeat(page), taken_at="2026-01-01T00:00:00Z")
    assert not spooled.proof.complete
    assert "TOO_LARGE" in spooled.proof.why_incomplete
    assert spooled.path.stat().st_size <= 1_000_000


def test_a_statement_that_does_not_fit_is_given_more_memory_once(tmp_path: Path) -> None:
    """What was to be made is made, the limit is the usual one afterwards, and a fault of another kind is raised as it is."""
    with Stage(tmp_path, memory_limit="32MB", threads=1) as tight:
        usual = tight.one("SELECT current_setting('memory_limit')")
        tight.run(
            "CREATE TABLE small AS SELECT 1 AS n;"
            "CREATE TABLE large AS SELECT list(md5(n::VARCHAR)) AS texts FROM range(1000000) t(n);"
            "CREATE TABLE after AS FROM small"
        )
        assert tight.count("SELECT count(*) FROM large") == 1
        assert tight.count("SELECT count(*) FROM after") == 1
        assert tight.one("SELECT current_setting('memory_limit')") == usual
        with pytest.raises(duckdb.CatalogException, match="nowhere"):
            tight.run("CREATE TABLE nothing AS FROM nowhere")


@pytest.mark.parametrize("many", [1, 99, 100, 3_000])
def test_rows_come_in_as_they_are_however_many(stage: Stage, many: int) -> None:
    """Few come in with the statement and many by way of a file: types, blanks, quotes, control characters and lists stay."""
    columns = [("n", "BIGINT"), ("text", "VARCHAR"), ("flag", "BOOLEAN"), ("words", "VARCHAR[]")]
    rows = [
        (n, f"a'b\"\\\n\x01å{n}" if n % 2 else None, n % 3 == 0, ["x", "y,z"]) for n in range(many)
    ]
    stage.fill("filled", columns, [rows[:5], rows[5:]])
    assert stage.rows("FROM filled ORDER BY n") == [(*row[:3], list(row[3])) for row in rows]


def test_a_second_thread_is_woken_for_a_large_file_alone(stage: Stage, tmp_path: Path) -> None:
    """A small run goes through with one; what takes longer is shared."""

    def threads() -> object:
        return stage.one("SELECT current_setting('threads')")[0]

    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    large.write_bytes(bytes(5 << 20))
    stage.expect(small)
    assert threads() == 1
    stage.expect(small, large)
    assert threads() == 2
