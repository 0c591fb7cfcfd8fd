"""What is shown in Prefect is masked before it leaves: its database is no place for people's values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.orchestration import artifacts
from reconcile.model import Entity, Side
from tests.builders import World, by_email
from tests.flows.nights import night


def test_the_table_of_questions_names_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question about a tag stands in the table without the tag, in its field and in its reason."""
    shown: list[Any] = []
    monkeypatch.setattr(artifacts, "create_table_artifact", lambda rows, **_: shown.append(rows))
    monkeypatch.setattr(artifacts, "create_link_artifact", lambda *_, **__: None)
    with World(limits={"flapping": 2}) as world:
        ann = world.app.put(Entity.CONTACT, {"email": "ann@x.com", "tags": ["x"]})
        night(world)
        for side, key in (
            (Side.APP, ann),
            (Side.GHL, by_email(world, Side.GHL, "ann@x.com")),
            (Side.APP, ann),
        ):
            tags = ["x", "hiv positive"] if side is Side.APP else ["x"]
            world.sides[side].edit(Entity.CONTACT, key, {"tags": tags})
            told = night(world)
    artifacts.tables(cast("Any", SimpleNamespace(name="p")), told)
    (question,) = shown[0]
    assert question["kind"] == "flapping"
    assert "positive" in repr(told.document["holds"])
    assert "positive" not in repr(shown)
