"""A contact's appointments: read for the audit, never written."""

from __future__ import annotations

from typing import Any

from connectors.ghl.api import Api
from reconcile.errors import NotFound


def of_contact(api: Api, contact: str) -> list[dict[str, Any]]:
    """The contact's events; their times are naive, in the location's time zone (facts.md section 1.7)."""
    try:
        reply = api.call("appointment.list", {"contact": contact}).json()
    except NotFound:
        return []
    return [event for event in reply.get("events") or [] if isinstance(event, dict)]
