"""A record with all that GHL tells of it: what a workflow changes shows, and the time of the change does not."""

from __future__ import annotations

import pytest

from reconcile.apply.canary import changes
from reconcile.model import Entity
from reconcile.ports import ShowsWhole
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, hosted


@pytest.mark.parametrize("version", VERSIONS)
def test_what_happened_to_a_contact_by_itself_shows(version: str) -> None:
    """A tag and an owner that nobody mapped are told, in both versions; a contact that is gone is None."""
    with hosted(version=version) as host:
        key = host.sandbox.seed_contact(LOCATION, firstName="Ann", email="ann@x.com")
        connector = host.connector
        assert isinstance(connector, ShowsWhole)
        before = connector.whole(Entity.CONTACT, key)
        host.sandbox.edit_contact(key, tags=["welcome"], assignedTo="u1")
        after = connector.whole(Entity.CONTACT, key)
        assert before is not None
        assert after is not None
        assert changes(before, before) == ()
        assert changes(before, after) == (("assignedTo", "", "u1"), ("tags", "", "welcome"))
        host.sandbox.delete_contact(key)
        assert connector.whole(Entity.CONTACT, key) is None
