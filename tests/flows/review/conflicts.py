"""A demo whose people moved house twice: on both sides, to different cities, so that many questions are alike."""

from __future__ import annotations

import sqlalchemy as sa

from flows.demo.compare import agreed
from flows.demo.seen import opened
from flows.demo.tables import PEOPLE
from tests.flows.acme import Acme

APP, GHL = "Lisboa", "Porto"


def move_house(acme: Acme, number: int) -> dict[str, str]:
    """Give so many of those who agree another city on each side; returns their keys in GHL by those in the app."""
    with opened(acme.folder, acme.pair, None) as ends:
        couples = agreed(ends)[:number]
        assert len(couples) == number
        with ends.engine.begin() as connection:
            keys = [int(app.key) for app, _ in couples]
            moved = sa.update(PEOPLE).where(PEOPLE.c.id.in_(keys))
            connection.execute(moved.values(city=APP))
        for _, ghl in couples:
            ends.sandbox.edit_contact(ghl.key, city=GHL)
        return {app.key: ghl.key for app, ghl in couples}


def cities(acme: Acme, keys: dict[str, str]) -> set[tuple[str, str]]:
    """The cities that these people have in the app and in GHL."""
    with opened(acme.folder, acme.pair, None) as ends:
        app = {one.key: one.cells["city"] for one in ends.app().values()}
        ghl = {one.key: one.cells["city"] for one in ends.ghl().values()}
    return {(app[here], ghl[there]) for here, there in keys.items()}
