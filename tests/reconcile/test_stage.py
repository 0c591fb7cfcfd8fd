"""What the stage does for the steps on it: fetch ahead, work side by side, give memory back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from reconcile.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, memory_limit="256MB") as made:
        yield made


def test_rows_fetched_ahead_come_in_the_order_of_their_queries(stage: Stage) -> None:
    """However long each takes."""
    stage.run("CREATE TABLE number AS SELECT n FROM range(10000) t(n)")
    queries = (f"SELECT n FROM number WHERE n >= {at} AND n < {at + 100} ORDER BY n" for at in range(0, 10_000, 100))
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


def _held(stage: Stage) -> int:
    return stage.count("SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'BASE_TABLE'")
