"""Takes SQL apart, once for each text: nights, and the pairs of a fleet, say the same again.

Of a small statement that is an eighth of the work.
"""

from functools import cache, lru_cache
from threading import Lock

import duckdb

from reconcile.stage.confinement import confined

_alone = Lock()  # a connection serves one thread at a time


@lru_cache(1_024)  # a night has some 500, of 15 KB
def parsed(text: str) -> tuple[duckdb.Statement, ...]:
    """The statements of a text, ready for any connection. They name tables, and know none."""
    with _alone:
        return tuple(_parser().extract_statements(text))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return confined()


def single(text: str) -> duckdb.Statement:
    """The one statement of a text."""
    (statement,) = parsed(text)
    return statement
