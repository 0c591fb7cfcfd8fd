"""What a run needs of the GHL location.

A token that works, its scopes, enough quota, and one idea of the time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.ghl import apart, calendars, schema
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL, SHOWN
from flows.config import Pair
from flows.config.natives import named
from flows.doctor.finding import Finding, error, failures, ok, warning
from reconcile.entities import OWNER, RECORDS, SWEPT, Shown
from reconcile.errors import ConnectorError, Forbidden
from reconcile.model import Entity
from reconcile.ports import Json, Usage
from reconcile.values.codecs import Owner
from reconcile.values.mapping import EntityMap

_SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Need:
    """A read that some entity needs.

    It has the scope that GHL asks for it (docs/ghl.md#authentication).
    """

    endpoint: str
    scope: str
    entities: tuple[Entity, ...] = ()
    body: Mapping[str, Json] | None = None
    params: Mapping[str, str | int] | None = None


def needs(api: Api, owned: tuple[Entity, ...] = ()) -> tuple[Need, ...]:
    """The reads of a run, each as small as it can be; `owned` are mapped with their owners."""
    custom = tuple(entity for entity in RECORDS if GHL[entity].custom)
    model = {"model": custom[0].value}
    first: dict[str, Json] = {"locationId": api.location, "pageLimit": 1}
    searched = (entity for entity in OWNER.children if GHL[entity].searched)
    return (
        Need("location.get", "locations.readonly", RECORDS),
        Need(f"{OWNER}.search", f"{GHL[OWNER].scope}.readonly", RECORDS, first),
        Need("field.list", "locations/customFields.readonly", custom, params=model),
        Need("tag.list", "locations/tags.readonly", (Entity.TAG.record,)),
        *(_search(api, entity) for entity in searched),
        *(
            Need(
                f"{entity}.list",
                f"{GHL[entity].scope}.readonly",
                (entity,),
                params={"locationId": api.location, "limit": 1, "skip": 0},
            )
            for entity in RECORDS
            if GHL[entity].listed
        ),
        Need("user.list", "users.readonly", owned, params={"locationId": api.location}),
    )


def _of_calendars(api: Api, mapped: Collection[Entity]) -> Iterator[Need]:
    """The reads of what the location's calendars tell, tried on the first of them."""
    for entity in mapped:
        if not GHL[entity].spanned:
            continue
        listing, reading = GHL[entity].scopes
        yield Need(
            "calendar.list",
            listing,
            (entity,),
            params={"locationId": api.location},
        )
        span = calendars.span_of(
            GHL[entity].spanned,
            now=0,
            past=0,
            ahead=1,
        )
        with suppress(ConnectorError):  # it is told by then
            for key in tuple(api.calendars())[:1]:
                yield Need(
                    f"{entity}.events",
                    reading,
                    (entity,),
                    params=calendars.params(key, span, location=api.location),
                )


def _search(api: Api, entity: Entity) -> Need:
    """The smallest search of what hangs on contacts."""
    name, scope = f"{entity}.search", f"{GHL[entity].scope}.readonly"
    if GHL[entity].apart:
        return Need(name, scope, (entity,), params=apart.search_params(api, limit=1))
    return Need(name, scope, (entity,), {"limit": 1, "skip": 0})


def scopes(pair: Pair, api: Api) -> Iterator[Finding]:
    """Whether every read of a run is allowed.

    Scopes for writing show only when something is written.
    """
    mapped = {entity.entity for entity in pair.mapping.entities} | named(pair.mapping)
    owned = (one.entity for one in pair.mapping.entities if _has_owner(one))
    for need in (*needs(api, tuple(owned)), *_of_calendars(api, mapped)):
        if need.entities and not mapped.intersection(need.entities):
            continue
        try:
            api.call(need.endpoint, params=need.params, body=dict(need.body) if need.body else None)
        except Forbidden as failed:
            what = f"the token lacks the scope {need.scope} ({failed.what})"
            remedy = f"Add {need.scope} to the integration in GHL."
            if need.entities:
                yield error(what, remedy)
            else:
                yield warning(f"{what}; names of users stay unknown", remedy)
        except ConnectorError as failed:
            yield from failures("GHL", failed)
        else:
            yield ok(f"the scope {need.scope} is there")


def _has_owner(mapped: EntityMap) -> bool:
    return any(isinstance(field.codec, Owner) for field in mapped.fields)


def agendas(pair: Pair, api: Api) -> Iterator[Finding]:
    """Whether what is only shown can be read, tried on one contact (docs/ghl.md#appointments)."""
    for kind in Shown:
        if getattr(pair.ghl, kind.budget):
            yield from _agenda(pair, api, kind)


def _agenda(pair: Pair, api: Api, kind: Shown) -> Iterator[Finding]:
    scope = f"{SHOWN[kind].scope}.readonly"
    body: dict[str, Json] = {"locationId": pair.ghl.location, "pageLimit": 1}
    try:
        listed: Any = api.call(f"{OWNER}.search", body=body).json().get(OWNER.plural) or []
        for contact in listed[:1]:
            api.call(f"{kind}.list", {OWNER.value: str(contact.get("id"))})
    except Forbidden as failed:
        what = f"the token lacks the scope {scope}, by which {kind.plural} are read ({failed.what})"
        yield error(what, f"Add {scope} to the integration in GHL, or set {kind.budget} = 0.")
    except ConnectorError as failed:
        yield from failures(f"GHL's {kind.plural}", failed)
    else:
        yield ok(f"{kind.plural} can be read, by the scope {scope}")
    if not schema.location(api).get("timezone"):
        what = f"GHL names no time zone of the location: times of {kind.plural} cannot be read"
        yield warning(what, "Set the location's time zone in GHL (Settings, Business Profile).")


def duplicates(api: Api) -> Iterator[Finding]:
    """Whether the location may hold several contacts with one email.

    Such a match is ambiguous, and held.
    """
    if (schema.location(api).get("settings") or {}).get("allowDuplicateContact") is True:
        what = (
            "the location allows duplicate contacts: a match that is not unique is held for "
            "a person, never guessed"
        )
        yield warning(
            what,
            "Switch it off in GHL (Settings, Business Profile), or expect such holds in `review`.",
        )


def clock(api: Api, now: datetime) -> Iterator[Finding]:
    """Whether this machine's clock and GHL's agree: times of change are compared with it."""
    said = api.call("location.get").headers.get("date")
    if not said:
        return
    skew = (now - parsedate_to_datetime(said)).total_seconds()
    if abs(skew) > _SKEW_SECONDS:
        what = (
            f"this machine's clock is {abs(skew):.0f} s "
            f"{'ahead of' if skew > 0 else 'behind'} GHL's"
        )
        yield warning(
            what, 'Let the machine keep its time (NTP): "newest" and watermarks depend on it.'
        )
    else:
        yield ok(f"the clock is within {_SKEW_SECONDS:.0f} s of GHL's")


def estimate(pair: Pair, api: Api) -> int | None:
    """The requests of one full read (docs/ghl.md#request-budget).

    They follow from the location's own counts of contacts and of what is kept apart; lists of tasks
    and companies tell none. None where it does not count contacts.
    """
    body: dict[str, Json] = {"locationId": pair.ghl.location, "pageLimit": 1}
    total: Any = api.call("contact.search", body=body).json().get("total")
    if not isinstance(total, int):
        return None
    swept = [kind.budget for kind in SWEPT if kind in pair.mapping]
    shown = [kind.budget for kind in Shown]
    by_contact = 0
    for name in (*swept, *shown):
        budget = getattr(pair.ghl, name)
        by_contact += total if budget is None else min(total, budget)
    pages = math.ceil(total / pair.ghl.page_size)
    return 4 + pages + by_contact + _apart(pair, api)


def _apart(pair: Pair, api: Api) -> int:
    """The requests for what is read by a cursor or by calendars, with the names it is told by."""
    pages = 0
    for mapped in pair.mapping.entities:
        kind = mapped.entity
        if GHL[kind].spanned:
            pages += 1 + len(api.calendars())
        if GHL[kind].apart:
            page: Any = api.call(f"{kind}.search", params=apart.search_params(api, limit=1)).json()
            total = (page.get("meta") or {}).get("total") or 0
            pages += bool(GHL[kind].named) + -(-int(total) // apart.PAGE)
    return pages


def quota(pair: Pair, usage: Usage, needed: int | None) -> Iterator[Finding]:
    """Whether what remains of the day's requests is enough for one full read.

    The reserve for others is left aside.
    """
    if usage.remaining_today is None or needed is None:
        yield ok("GHL has not said how many requests remain today")
        return
    free = int(usage.remaining_today * (1 - pair.ghl.daily_reserve))
    said = f"one full read needs about {needed:,} requests; {usage.remaining_today:,} remain today"
    if needed > free:
        budgets = " or ".join(kind.budget for kind in Shown)
        remedy = (
            f"Set {SWEPT[0].budget}, or a lower {budgets}, under [ghl], or run when the quota is "
            "fresh; the job stops cleanly and goes on tomorrow."
        )
        yield warning(f"{said}, of which {free:,} are free for this job", remedy)
    else:
        yield ok(said)
