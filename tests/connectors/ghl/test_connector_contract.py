"""The GHL connector shows the behaviour that every connector must show, over real HTTP, in both API versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import Can, ConnectorContract, Rig
from reconcile.model import Entity
from reconcile.ports import Json
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, Hosted, hosted, unlimited

TEXT = {
    Entity.COMPANY: "city",
    Entity.CONTACT: "city",
    Entity.TASK: "title",
    Entity.NOTE: "body",
    Entity.OPPORTUNITY: "name",
    Entity.APPOINTMENT: "title",
}
SOON = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds")
CANNOT = {Can.GUARD, Can.VERSIONS, Can.ARCHIVE}


def sample(entity: Entity, number: int) -> dict[str, Json]:
    """The n-th record of an entity."""
    match entity:
        case Entity.CONTACT:
            return {
                "firstName": f"Ada{number}",
                "lastName": "Lovelace",
                "email": f"ada{number}@example.com",
                "phone": f"+1415555{number:04d}",
                "city": f"Town {number}",
            }
        case Entity.COMPANY:
            return {"name": f"Acme {number}", "city": f"Town {number}"}
        case Entity.TASK:
            return {
                "title": f"Call {number}",
                "dueDate": "2026-01-02T03:04:05.000Z",
                "completed": False,
            }
        case Entity.OPPORTUNITY:
            return {
                "name": f"Roof {number}",
                "pipeline": "Sales",
                "stage": "Signed",
                "status": "open",
                "monetaryValue": 500 + number,
            }
        case Entity.APPOINTMENT:
            return {"title": f"Visit {number}", "startTime": SOON}
        case _:
            return {"body": f"Note {number}"}


def rig_of(host: Hosted) -> Rig:
    """The sandbox's own screens as a Rig's hands."""
    box = host.sandbox
    box.add_location(LOCATION, allow_duplicate_opportunities=True)
    box.seed_pipeline(LOCATION, "Sales", ["New", "Signed"])

    def seed(entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        if entity is Entity.CONTACT:
            return box.seed_contact(LOCATION, **fields)
        if entity is Entity.COMPANY:
            return box.seed_business(LOCATION, **fields)
        hands = {
            Entity.TASK: box.seed_task,
            Entity.NOTE: box.seed_note,
            Entity.OPPORTUNITY: box.seed_opportunity,
            Entity.APPOINTMENT: box.seed_appointment,
        }
        return hands[entity](str(parent), **fields)

    def edit(entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        hand = {
            Entity.COMPANY: box.edit_business,
            Entity.CONTACT: box.edit_contact,
            Entity.TASK: box.edit_task,
            Entity.NOTE: box.edit_note,
            Entity.OPPORTUNITY: box.edit_opportunity,
            Entity.APPOINTMENT: box.edit_appointment,
        }
        hand[entity](key, **fields)

    def remove(entity: Entity, key: str) -> None:
        {
            Entity.COMPANY: box.delete_business,
            Entity.CONTACT: box.delete_contact,
            Entity.TASK: box.delete_task,
            Entity.NOTE: box.delete_note,
            Entity.OPPORTUNITY: box.delete_opportunity,
            Entity.APPOINTMENT: box.delete_appointment,
        }[entity](key)

    return Rig(
        connector=host.connector,
        sample=sample,
        text=TEXT,
        seed=seed,
        edit=edit,
        remove=remove,
        can=frozenset(Can) - CANNOT,
        bad={Entity.CONTACT: {"email": "not-an-email-address"}},
        settle=box.catch_up,
        completed={"completed": True},
        absent="AbsentAbsentAbsent00",
    )


@pytest.mark.parametrize("version", VERSIONS)
class TestGhl(ConnectorContract):
    @pytest.fixture
    def rig(self, version: str) -> Iterator[Rig]:  # type: ignore[override]
        with hosted(unlimited(), version=version) as host:
            yield rig_of(host)
