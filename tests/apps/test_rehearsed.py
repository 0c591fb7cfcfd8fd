"""Applications as people have them are rehearsed by their pages in the cookbook: copies in a database of the same kind, and no promise broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.rehearse.nights import Rehearsed, rehearse
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


SHORT = [
    ("dolibarr", 4, "hired key_given_away"),
    ("twenty", 6, "hired"),
    ("suitecrm", 6, "key_given_away"),
]
"""What CI tries: a seed, and what people do before the second night; each has shown a fault of the rehearsal's own."""


def _rehearsed(name: str, folder: Path, **more: Any) -> Rehearsed:
    """What comes of nights on copies of the application and of GHL."""
    server, rows = SEEDS[name]
    copies = folder / "copies"
    copies.mkdir()
    [done] = [
        rehearse(world.pair, copies, people=None, into=into, **more)
        for world in _furnished(name, server, folder, rows)
        for into in fresh_database(server, folder)
    ]
    return done


def _furnished(name: str, server: str, folder: Path, rows: tuple[str, ...]) -> Iterator[World]:
    for world in fresh(name, server, folder):
        world.sql(*rows)
        _guests(world)
        yield world


@pytest.mark.parametrize(("name", "seed", "happening"), SHORT, ids=[name for name, *_ in SHORT])
def test_an_application_is_rehearsed_shortly(
    name: str, seed: int, happening: str, tmp_path: Path
) -> None:
    """A night after people began to work elsewhere, or got a deleted person's key, breaks no promise."""
    done = _rehearsed(name, tmp_path, nights=2, seed=seed, only=happening.split())
    assert done.broken == [], done.broken
    assert set(done.happened) == set(happening.split())


@long_form
@pytest.mark.parametrize("name", SEEDS)
def test_an_application_is_rehearsed(name: str, tmp_path: Path) -> None:
    """A few nights on copies of the application and of GHL break no promise."""
    done = _rehearsed(name, tmp_path, nights=NIGHTS, seed=6)
    assert done.broken == [], done.broken
    assert done.counts["on both sides"] > GUESTS
