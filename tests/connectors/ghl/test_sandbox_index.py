"""The sandbox's search index against a plain model of it, over any order of writes and time."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from connectors.ghl.sandbox import Sandbox, Settings
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.nouns import Token
from connectors.ghl.sandbox.search import search
from tests.connectors.ghl.rig import PLACE, TOKEN, Clock

LAG = 10.0


class LaggingIndex(RuleBasedStateMachine):
    """The model keeps each contact's versions with the time they were written; search shows the newest old enough."""

    contacts = Bundle("contacts")

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.sandbox = Sandbox(Settings(lag_seconds=LAG), clock=self.clock)
        self.sandbox.add_location(PLACE)
        self.sandbox.add_token(TOKEN, PLACE)
        self.versions: dict[str, list[tuple[float, str | None]]] = {}

    @rule(target=contacts, city=st.sampled_from("ABC"))
    def seed(self, city: str) -> str:
        contact = self.sandbox.seed_contact(PLACE, city=city)
        self.versions[contact] = [(float("-inf"), city)]
        return contact

    @rule(contact=contacts, city=st.sampled_from("ABC"))
    def edit(self, contact: str, city: str) -> None:
        if self.versions[contact][-1][1] is not None:
            self.sandbox.edit_contact(contact, city=city)
            self.versions[contact].append((self.clock.now, city))

    @rule(contact=contacts)
    def delete_or_restore(self, contact: str) -> None:
        live = self.versions[contact][-1][1] is not None
        city = None
        if live:
            self.sandbox.delete_contact(contact)
        else:
            self.sandbox.restore_contact(contact)
            city = next(city for _, city in reversed(self.versions[contact]) if city is not None)
        self.versions[contact].append((self.clock.now, city))

    @rule(seconds=st.sampled_from([1.0, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(
        field=st.sampled_from(["dateAdded", "dateUpdated", "city"]),
        direction=st.sampled_from(["asc", "desc"]),
    )
    def sweep(self, field: str, direction: str) -> None:
        """A whole sweep by cursor shows each contact of the model once, in order, with the right total."""
        found: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            body = {
                "locationId": PLACE,
                "pageLimit": 2,
                "sort": [{"field": field, "direction": direction}],
                **cursor,
            }
            token = self.sandbox.state.store.table(Token)[TOKEN]
            page = search(Call(self.sandbox.state, "v2", token, body=body)).body
            assert page["total"] == len(self.shown())
            if not page["contacts"]:
                break
            found += page["contacts"]
            cursor = {"searchAfter": found[-1]["searchAfter"]}
        values = [item[field] for item in found]
        assert values == sorted(values, reverse=direction == "desc")
        assert {item["id"]: item["city"] for item in found} == self.shown()
        assert len(found) == len(self.shown())

    def shown(self) -> dict[str, str]:
        seen = {}
        for contact, versions in self.versions.items():
            city = [city for at, city in versions if at + LAG <= self.clock.now][-1]
            if city is not None:
                seen[contact] = city
        return seen

    @invariant()
    def live_state_has_no_lag(self) -> None:
        live = {
            contact: versions[-1][1] for contact, versions in getattr(self, "versions", {}).items()
        }
        if live:
            held = {row["id"]: row["city"] for row in self.sandbox.contacts(PLACE)}
            assert held == {contact: city for contact, city in live.items() if city is not None}


TestLaggingIndex = LaggingIndex.TestCase
TestLaggingIndex.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
