"""The SQL connector shows the contract's behaviour where a contact lies in many tables, wherever its text is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.contract import ConnectorContract, Rig
from tests.connectors.databases import fresh_database
from tests.connectors.joined_app import TEXTS, JoinedApp, strangers


@pytest.fixture(scope="module", params=TEXTS)
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgresql"])
def application(
    request: pytest.FixtureRequest, text: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JoinedApp]:
    for url in fresh_database(request.param, tmp_path_factory.mktemp("database")):
        yield JoinedApp(url, text)


class TestJoined(ConnectorContract):
    @pytest.fixture
    def rig(self, application: JoinedApp) -> Iterator[Rig]:
        """Whatever a test does, rows that are not a contact's of ours stay what they were."""
        application.empty()
        before = strangers(application)
        rig = application.rig()
        yield rig
        rig.connector.close()
        assert strangers(application) == before
