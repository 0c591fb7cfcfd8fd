"""What is only shown of contacts, a request a contact: read, and never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from connectors.ghl.api import Api
from connectors.ghl.entities import SHOWN
from connectors.ghl.moments import instant, zone_of
from connectors.ghl.overlap import overlapped
from reconcile.entities import OWNER, Shown
from reconcile.errors import Blocked, ConnectorError, Expired, NotFound
from reconcile.patience import Patience, unread
from reconcile.ports import Agenda, Event


def read(
    api: Api, kind: Shown, contacts: Sequence[str], *, zone: str, width: int
) -> Iterator[Agenda]:
    """An Agenda for each contact, in order, `width` requests at a time; `zone` is the location's.

    Raises the error where it is the side that fails. A refusal of credentials, or by a gateway, may
    be about one contact alone; where no other was read, it is about all.
    """

    def attempt(contact: str) -> tuple[str, list[dict[str, Any]] | ConnectorError]:
        try:
            return contact, of_contact(api, kind, contact)
        except ConnectorError as error:
            return contact, error

    patience, zoneinfo = Patience(), zone_of(zone)
    refusal: ConnectorError | None = None
    count = 0
    for contact, events in overlapped(attempt, contacts, width=width):
        if isinstance(events, ConnectorError):
            patience.spend(events)
            if isinstance(events, Expired | Blocked):
                refusal = events
            yield Agenda(contact, failure=unread(OWNER, contact, events))
            continue
        patience.renew()
        count += 1
        yield Agenda(contact, tuple(_event(event, kind, zoneinfo) for event in events))
    if refusal is not None and not count:
        raise refusal


def of_contact(api: Api, kind: Shown, contact: str) -> list[dict[str, Any]]:
    """The contact's events as GHL gives them; none where the contact is gone."""
    try:
        reply = api.call(f"{kind}.list", {"contact": contact}).json()
    except NotFound:
        return []
    events = reply.get(SHOWN[kind].member) or []
    return [
        event for event in events if isinstance(event, dict) and event.get("deleted") is not True
    ]


def _event(event: dict[str, Any], kind: Shown, zone: ZoneInfo | None) -> Event:
    """The parts that a report shows: an event has more about people than it needs to."""
    shown = SHOWN[kind]
    statuses = (event.get(name) for name in shown.status)
    return Event(
        key=str(event.get("id") or ""),
        status=str(next(filter(None, statuses), "none")),
        title=str(event.get(shown.title) or ""),
        start=instant(event.get(shown.start), zone),
    )
