"""The SQL connector shows the contract's behaviour where a contact lies in many tables, wherever its text is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from connectors.contract import ConnectorContract, Rig
from tests.connectors.databases import fresh_database
from tests.connectors.joined_app import TEXTS, JoinedApp, strangers
from tests.long_forms import tried

SHORT = [
    ("sqlite", "details.first_name"),
    ("sqlite", "own_name"),
    ("mariadb", "mail.address"),
    ("postgresql", "meta.first_name"),
]
"""In CI each place once, on the servers those that need the most statements; the soak tries all on all."""

PLACES = tried(list(product(("sqlite", "mariadb", "postgresql"), TEXTS)), SHORT)


@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def application(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JoinedApp]:
    kind, text = request.param
    for url in fresh_database(kind, tmp_path_factory.mktemp("database")):
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
