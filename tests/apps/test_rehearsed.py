"""Applications as people have them are rehearsed by their pages in the cookbook: copies in a database of the same kind, and no promise broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.rehearse.nights import rehearse
from tests.apps import test_suitecrm as suitecrm
from tests.apps import test_wordpress as wordpress
from tests.apps.test_applications import APPLICATIONS
from tests.apps.world import World, fresh
from tests.connectors.databases import fresh_database
from tests.long_forms import long_form

SEEDS = {name: (one.server, one.seed) for name, one in APPLICATIONS.items()} | {
    "suitecrm": ("mariadb", suitecrm.SEED),
    "wordpress": ("mariadb", wordpress.SEED),
}
"""The server of each, and what it holds."""
GUESTS, NIGHTS = 12, 4


def _guests(world: World) -> None:
    """People whom GHL alone has."""
    for number in range(GUESTS):
        name = {"firstName": f"Guest {number}", "lastName": f"Gray {number}"}
        world.add(**name, email=f"guest{number}@g.test", city=f"Town {number}")


@long_form
@pytest.mark.parametrize("name", SEEDS)
def test_an_application_is_rehearsed(name: str, tmp_path: Path) -> None:
    """A few nights on copies of the application and of GHL break no promise."""
    server, seed = SEEDS[name]
    folder = tmp_path / "copies"
    folder.mkdir()
    for world in fresh(name, server, tmp_path):
        world.sql(*seed)
        _guests(world)
        for into in fresh_database(server, tmp_path):
            done = rehearse(world.pair, folder, nights=NIGHTS, seed=6, people=None, into=into)
            assert done.broken == [], done.broken
            assert done.counts["on both sides"] > GUESTS
