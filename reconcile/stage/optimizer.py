"""What a small run leaves out of DuckDB's optimizer: planning is most of such a run's work."""

from functools import cache

from reconcile.stage.confinement import confined

_NEEDED = frozenset({"deliminator", "filter_pushdown"})
"""Without these a subquery, or a join told by its WHERE, looks at each row with each."""


@cache
def dispensable() -> str:
    """The names of DuckDB's setting `disabled_optimizers`: all that there are but those needed."""
    with confined() as sql:
        parts = sql.execute("SELECT name FROM duckdb_optimizers()").fetchall()
    return ",".join(sorted({str(name) for (name,) in parts} - _NEEDED))
