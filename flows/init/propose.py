"""From what two sides hold to a proposed mapping, without asking either of them anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows.init.columns import lines
from flows.init.entities import LIKENESS
from flows.init.proposal import Line, Place, Proposal, Unplaced
from flows.init.survey import Table
from flows.init.tables import addresses_apart, child_place, contact_place, reference
from reconcile.entities import OWNER
from reconcile.model import Entity
from reconcile.ports import Description
from reconcile.values.mapping import TAGS


def propose(tables: Sequence[Table], ghl: Description) -> Proposal:
    """Where contacts, tasks, notes and tags are, and which column is which field; pure, the same input gives the same."""
    places = _places(tables)
    by_name = {table.name: table for table in tables}
    found: list[Line | Unplaced] = []
    for place in places:
        found += lines(
            by_name[place.table],
            place.entity,
            ghl.fields.get(place.entity, {}),
            parent=place.parent,
        )
    held = {place.entity for place in places}
    missing = [
        Unplaced(entity.value, like.lacking)
        for entity, like in LIKENESS.items()
        if entity not in held
    ]
    if places and places[0].tags is None:
        missing.append(Unplaced(TAGS, "no column and no join table looks like tags"))
    if places and (apart := addresses_apart(by_name[places[0].table], tables)) is not None:
        missing.append(_as_join(apart, by_name[places[0].table]))
    unplaced = [one for one in found if isinstance(one, Unplaced)]
    tags = _tag_column(places)
    return Proposal(
        places=places,
        lines=(*(one for one in found if isinstance(one, Line)), *_tag_lines(places)),
        unplaced=(*missing, *(one for one in unplaced if one.where != tags)),
        region=ghl.region,
    )


def _as_join(apart: Table, contacts: Table) -> Unplaced:
    """What to write so that the rows of another table are read beside each contact."""
    column, key = reference(apart, contacts), contacts.key[0] if contacts.key else "id"
    said = f'table = "{apart.name}", on = {{ {column} = "{key}" }}'
    return Unplaced(
        apart.name,
        f'addresses have a table of their own: join = {{ address = {{ {said} }} }} under the contact\'s table, then "address.city" = "city"',
    )


def _places(tables: Sequence[Table]) -> tuple[Place, ...]:
    contact = contact_place(tables)
    if contact is None:
        return ()
    rest = [
        table
        for table in tables
        if table.name not in {contact.table, (contact.tags or {}).get("table")}
    ]
    contacts = next(table for table in tables if table.name == contact.table)
    places = [contact]
    for entity in OWNER.children:
        taken = {place.table for place in places}
        free = [table for table in rest if table.name not in taken]
        place = child_place(entity, contacts, free)
        if place is not None:
            places.append(place)
    return tuple(places)


def _tag_column(places: Iterable[Place]) -> str:
    return next((f"{place.table}.{place.tags.get('column')}" for place in places if place.tags), "")


def _tag_lines(places: Iterable[Place]) -> list[Line]:
    said: list[Mapping[str, str]] = [place.tags for place in places if place.tags]
    return [
        Line(
            Entity.TAG.record,
            TAGS,
            (TAGS,),
            0.95,
            f'the {"column" if "column" in tags else "join table"} "{tags.get("column") or tags["table"]}"',
        )
        for tags in said
    ]
