"""The SQL connector shows the contract's behaviour on each database, whatever form an application's tables have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract import ConnectorContract, Rig
from tests.connectors.databases import Application, Variant, fresh_database

VARIANTS = [
    Variant(),
    Variant(key="text", tags="delimited", soft="time"),
    Variant(key="uuid", tags="table", version=True),
    Variant(key="composite", tags="json", soft="flag"),
    Variant(tags="named", awkward=True),
]
SERVER_VARIANTS = {
    "mariadb": [
        VARIANTS[1],
        VARIANTS[3],
        Variant(key="uuid", tags="named", version=True, awkward=True),
    ],
    "postgresql": [
        VARIANTS[2],
        VARIANTS[3],
        Variant(key="text", tags="array", version=True, soft="time", awkward=True),
    ],
}


def applications(database: str, variant: Variant, folder: Path) -> Iterator[Application]:
    for url in fresh_database(database, folder):
        yield Application(url, variant)


def rig_of(application: Application) -> Iterator[Rig]:
    application.empty()
    rig = application.rig()
    yield rig
    rig.connector.close()


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def on_sqlite(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    yield from applications("sqlite", request.param, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module", params=SERVER_VARIANTS["mariadb"], ids=str)
def on_mariadb(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    yield from applications("mariadb", request.param, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module", params=SERVER_VARIANTS["postgresql"], ids=str)
def on_postgresql(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    yield from applications("postgresql", request.param, tmp_path_factory.mktemp("database"))


class TestSqlite(ConnectorContract):
    @pytest.fixture
    def rig(self, on_sqlite: Application) -> Iterator[Rig]:
        yield from rig_of(on_sqlite)


class TestMariadb(ConnectorContract):
    @pytest.fixture
    def rig(self, on_mariadb: Application) -> Iterator[Rig]:
        yield from rig_of(on_mariadb)


class TestPostgresql(ConnectorContract):
    @pytest.fixture
    def rig(self, on_postgresql: Application) -> Iterator[Rig]:
        yield from rig_of(on_postgresql)
