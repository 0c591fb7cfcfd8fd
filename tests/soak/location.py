"""The GHL location of the soak, past its API: what it holds, and the people who type into its screens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.ghl.sandbox import Limit, Sandbox, Settings
from flows.rehearse.clock import Moving as Clock
from flows.rehearse.rules import ALLOWED, DENIED, Row
from tests.soak.values import BY_NAME, CUSTOM, FIELDS, LANGUAGES, PIPELINES, flag, words

LOCATION, TOKEN = "soakLocation00000001", "pit-soak"
LAG = 2.0


@dataclass
class Place:
    """A sandbox with one location; edits are named by the soak's field names."""

    clock: Clock
    seed: int
    sandbox: Sandbox = field(init=False)
    fields: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        free = Limit(max=1_000_000, window_seconds=1.0, daily=10_000_000)
        settings = Settings(lag_seconds=LAG, seed=self.seed, pit=free)
        self.sandbox = Sandbox(settings, clock=self.clock)
        self.sandbox.add_location(
            LOCATION,
            name="Soak",
            country="US",
            timezone="UTC",
            allow_duplicate_opportunities=self.seed % 2 == 0,
        )
        for pipeline, stages in PIPELINES.items():
            self.sandbox.seed_pipeline(LOCATION, pipeline, stages)
        self.sandbox.add_token(TOKEN, LOCATION)
        for name, kind in CUSTOM.items():
            made = self.sandbox.seed_custom_field(LOCATION, name.capitalize(), kind)
            self.fields[f"contact.{name}"] = made["id"]
        made = self.sandbox.seed_custom_field(
            LOCATION, "Languages", "MULTIPLE_OPTIONS", picklist=LANGUAGES
        )
        self.fields["contact.languages"] = made["id"]

    # reading

    def rows(self) -> dict[str, list[Row]]:
        """Everything that is there, by entity; whose a task is is the contact's key."""
        return {
            "contact": [self._contact(row) for row in self.sandbox.contacts(LOCATION)],
            "task": [
                _child("task", row) for row in self.sandbox.tasks(LOCATION) if row["contactId"]
            ],
            "note": [_child("note", row) for row in self.sandbox.notes(LOCATION)],
            "company": [_child("company", row) for row in self.sandbox.businesses(LOCATION)],
            "opportunity": [
                _child("opportunity", row) for row in self.sandbox.opportunities(LOCATION)
            ],
        }

    def _contact(self, row: dict[str, Any]) -> Row:
        custom = {one["id"]: one["value"] for one in row["customFields"]}
        sms = row["dndSettings"].get("SMS", {}).get("status")
        cells = {}
        row = {**row, "dnd.sms": sms}
        for one in FIELDS["contact"]:
            raw = custom.get(self.fields[one.wire]) if one.wire in self.fields else row[one.wire]
            if not one.items:
                cells[one.name] = one.read(raw)
        languages = words(custom.get(self.fields["contact.languages"]))
        cells |= dict.fromkeys((f"languages:{one}" for one in languages), "on")
        cells |= dict.fromkeys((f"tags:{one}" for one in words(row["tags"])), "on")
        return Row(row["id"], None, cells)

    def also(self, key: str) -> tuple[str, ...]:
        """The further addresses of a contact."""
        return self.sandbox.state.contacts[key].additional_emails

    # what people do

    def _wired(self, entity: str, values: dict[str, Any], key: str = "") -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for name, value in values.items():
            wire = BY_NAME[entity, name].wire if (entity, name) in BY_NAME else name
            if wire == "dnd.sms":
                sent["dndSettings"] = self._said(key, value)
            elif wire in self.fields:
                sent.setdefault("customFields", []).append(
                    {"id": self.fields[wire], "value": _typed(value)}
                )
            else:
                sent[wire] = _typed(value)
        return sent

    def _said(self, key: str, value: str | None) -> dict[str, Any]:
        """The channels of a contact once this is said of text messages."""
        held = dict(self.sandbox.state.contact(key).dnd_settings) if key else {}
        held.pop("SMS", None)
        word = {DENIED: "active", ALLOWED: "inactive"}.get(value or "", value)
        return {**held, "SMS": {"status": word}} if word else held

    def add(self, entity: str, of: str | None = None, **values: Any) -> str:
        sent = {
            name: value for name, value in self._wired(entity, values).items() if value is not None
        }
        if entity == "contact":
            return self.sandbox.seed_contact(LOCATION, **sent)
        if entity == "company":
            return self.sandbox.seed_business(LOCATION, **sent)
        seeds: dict[str, Callable[..., str]] = {
            "task": self.sandbox.seed_task,
            "note": self.sandbox.seed_note,
            "opportunity": self.sandbox.seed_opportunity,
        }
        return seeds[entity](of, **sent)

    def edit(self, entity: str, key: str, **values: Any) -> None:
        edits: dict[str, Callable[..., None]] = {
            "contact": self.sandbox.edit_contact,
            "task": self.sandbox.edit_task,
            "note": self.sandbox.edit_note,
            "company": self.sandbox.edit_business,
            "opportunity": self.sandbox.edit_opportunity,
        }
        # A stage that is not of the pipeline is not on the screen.
        with suppress(KeyError):
            edits[entity](key, **self._wired(entity, values, key))

    def delete(self, entity: str, key: str) -> None:
        deletes = {
            "contact": self.sandbox.delete_contact,
            "task": self.sandbox.delete_task,
            "note": self.sandbox.delete_note,
            "company": self.sandbox.delete_business,
            "opportunity": self.sandbox.delete_opportunity,
        }
        deletes[entity](key)

    def holders(self, email: str) -> list[str]:
        return [one.id for one in self.sandbox.state.holders(LOCATION, "email", email)]

    def close(self) -> None:
        self.sandbox.close()


def _typed(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    return value.isoformat() if hasattr(value, "isoformat") else value


def _child(entity: str, row: dict[str, Any]) -> Row:
    cells = {one.name: one.read(row.get(one.wire)) for one in FIELDS[entity]}
    if entity == "task":
        cells["status"] = flag(row["completed"])
    return Row(row["id"], row.get("contactId"), cells)
