"""Which companies there are, who works there, and which deals are on, as either side knows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox
from flows.demo.cast import ANCHOR, Being, Deal, Where, stamp
from flows.demo.tables import FIRMS

PIPELINE = "Sales"
STAGES = ("New", "Quoted", "Signed")


@dataclass(frozen=True, slots=True)
class Firm:
    """A company, and which sides know of it."""

    name: str
    city: str
    where: Where

    @property
    def ghl_id(self) -> str:
        """Its id in GHL. It is given, so that no other id changes."""
        return self.name.encode().hex()[:24].ljust(24, "0")


FIRMS_OF_ALL = (
    Firm("Harbor Dental", "Savannah", "both"),
    Firm("Northwind Garage", "Duluth", "both"),
    Firm("Lumière Foods", "Austin", "app"),
    Firm("Blue Oak Studio", "Boise", "ghl"),
)

_DEALS = (
    Deal("New roof", PIPELINE, "New", "open", 12_500, "both"),
    Deal("Yearly service", PIPELINE, "Quoted", "open", 900, "both"),
    Deal("Kitchen", PIPELINE, "Quoted", "open", 7_800, "app"),
    Deal("Delivery van", PIPELINE, "Signed", "won", 31_000, "ghl"),
)

_EVERY = 2
"""Of those whom both sides know and who have no tasks, one in so many has a company and a deal."""


def employed(beings: Sequence[Being]) -> list[Being]:
    """The same beings, some of those on both sides with a company and a deal, in turn."""
    known = [at for at, one in enumerate(beings) if one.app and one.ghl and not one.todos]
    result = list(beings)
    for number, at in enumerate(known[::_EVERY]):
        firm = FIRMS_OF_ALL[number % len(FIRMS_OF_ALL)]
        deal = _DEALS[number % len(_DEALS)]
        result[at] = replace(result[at], firm=firm.name, deals=(deal,))
    return result


def fill_firms(connection: sa.Connection) -> dict[str, int]:
    """Put the app's companies into its empty table; returns their keys by name."""
    rows = [{"name": one.name, "city": one.city} for one in FIRMS_OF_ALL if one.where != "ghl"]
    connection.execute(sa.insert(FIRMS), rows)
    firms = connection.execute(sa.select(FIRMS.c.name, FIRMS.c.id))
    return {str(row.name): int(row.id) for row in firms}


def rows_of(person_id: int, being: Being) -> Iterable[dict[str, Any]]:
    """The app's rows of somebody's deals."""
    for deal in being.deals:
        if deal.where != "ghl":
            yield {
                "person_id": person_id,
                "title": deal.title,
                "pipeline": deal.pipeline,
                "stage": deal.stage,
                "status": deal.status,
                "amount": deal.amount,
            }


def seed(sandbox: Sandbox, location: str, contacts: Sequence[tuple[str, Being]]) -> None:
    """Put the pipeline, the companies and the deals into GHL, each contact linked to its own."""
    sandbox.seed_pipeline(location, PIPELINE, STAGES)
    known = {one.name: one for one in FIRMS_OF_ALL if one.where != "app"}
    for firm in known.values():
        sandbox.seed_business(location, firm.name, id=firm.ghl_id, city=firm.city)
    for number, (contact, being) in enumerate(contacts):
        if being.firm in known:
            sandbox.edit_contact(contact, businessId=known[being.firm].ghl_id)
        for deal in being.deals:
            if deal.where != "app":
                sandbox.seed_opportunity(
                    contact,
                    id=f"deal{number:016}",
                    name=deal.title,
                    pipeline=deal.pipeline,
                    stage=deal.stage,
                    status=deal.status,
                    monetaryValue=deal.amount,
                    createdAt=stamp(ANCHOR),
                )
