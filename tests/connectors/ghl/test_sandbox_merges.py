"""Contacts that GHL merges on its own."""

from __future__ import annotations

import pytest

from connectors.ghl.sandbox import Sandbox
from reconcile.model import Entity
from tests.connectors.ghl.hosted import LOCATION, hosted


@pytest.mark.parametrize(
    ("source", "alone", "left"),
    [("Facebook", True, 1), ("Website", True, 2), ("Facebook", False, 2)],
    ids=["social", "of a form", "duplicates allowed"],
)
def test_p6_social_contacts_merge_on_their_own(source: str, alone: bool, left: int) -> None:
    """One from Facebook that gets another's email goes into it, with its tasks, where duplicates are not allowed; a read by id finds none."""
    box = Sandbox()
    box.add_location("loc1", allow_duplicates=not alone)
    ann = box.seed_contact("loc1", firstName="Ann", email="ann@x.com")
    social = box.seed_contact("loc1", firstName="annie77", source=source)
    box.seed_task(social, title="Call", dueDate="2026-01-01T10:00:00Z")
    box.edit_contact(social, email="ANN@x.com")
    assert len(box.contacts("loc1")) == left
    (task,) = box.tasks("loc1")
    assert task["contactId"] == (ann if left == 1 else social)


def test_p6_what_merged_on_its_own_looks_deleted() -> None:
    """Nothing in the API tells it: the one is gone by its id, the other holds what it had."""
    with hosted() as host:
        box = host.sandbox
        ann = box.seed_contact(LOCATION, firstName="Ann", phone="+12125550100")
        social = box.seed_contact(LOCATION, firstName="annie77", source="instagram", tags=["dm"])
        box.edit_contact(social, phone="+12125550100")
        assert host.connector.read(Entity.CONTACT, social) is None
        record = host.connector.read(Entity.CONTACT, ann)
        assert record is not None
        assert record.fields["tags"] == ["dm"]
