"""Tells Prefect of each webhook, as an event that an automation may start a delta for."""

from __future__ import annotations

# It settles Prefect's settings before Prefect is imported.
from flows.orchestration import engine as _settings  # noqa: F401

from prefect.events import emit_event  # isort: skip

CHANGED = "ghl-reconcile.contact-changed"


def notify(location: str, contacts: list[str]) -> None:
    """One event a contact: its id, and no value of the person."""
    for contact in contacts:
        emit_event(
            event=CHANGED,
            resource={
                "prefect.resource.id": f"ghl-reconcile.location.{location}",
                "location": location,
                "contact": contact,
            },
            payload={"contact": contact},
        )
