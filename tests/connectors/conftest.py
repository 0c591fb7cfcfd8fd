"""Empty databases for the SQL connector's tests, each dropped after its test; a server that is not there skips it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.databases import fresh_database


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[str]:
    yield from fresh_database("sqlite", tmp_path)


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    yield from fresh_database("postgresql", tmp_path)


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[str]:
    yield from fresh_database("mariadb", tmp_path)


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield from fresh_database(request.param, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield from fresh_database(request.param, tmp_path)
