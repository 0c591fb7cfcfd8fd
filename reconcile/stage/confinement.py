"""Opens DuckDB, here alone, so that no SQL reaches more than a job's own files.

No other file, no network, no extension.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from reconcile.stage.quoting import literal

_NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""What the product needs (core functions, ICU, JSON, Parquet) is built into DuckDB's wheel."""


def confined(
    database: Path | None = None,
    *,
    folders: Iterable[Path] = (),
    files: Iterable[Path] = (),
    spill: Path | None = None,
    read_only: bool = False,
) -> duckdb.DuckDBPyConnection:
    """A connection to a database in a file or in memory, confined to these folders and files.

    Its SQL reads and writes nothing else.

    `spill` is where it puts what does not fit into memory. None of this can be loosened by SQL
    afterwards; `ATTACH ':memory:'` can be done.
    """
    sql = duckdb.connect(
        ":memory:" if database is None else str(database),
        read_only=read_only,
        config=_NO_EXTENSIONS,
    )
    if spill is not None:
        sql.execute(f"SET temp_directory = {literal(str(spill))}")
    sql.execute(f"SET allowed_directories = {_listed(folders)}")
    sql.execute(f"SET allowed_paths = {_listed(files)}")
    # A name that is no table would otherwise be looked for among the variables of Python.
    sql.execute("SET python_enable_replacements = false")
    sql.execute("SET enable_external_access = false")
    return sql


def _listed(paths: Iterable[Path]) -> str:
    return f"[{', '.join(literal(str(path)) for path in paths)}]"
