"""From what two sides hold to a proposed mapping, without asking either of them anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows.init.columns import lines
from flows.init.proposal import Line, Place, Proposal, Unplaced
from flows.init.survey import Table
from flows.init.tables import addresses_apart, child_place, contact_place
from reconcile.model import Entity
from reconcile.ports import Description
from reconcile.values.mapping import TAGS

_NOTHING_LIKE = {
    Entity.CONTACT: "no table looks like contacts: one needs names, and emails or telephone numbers",
    Entity.TASK: "no table looks like tasks: one needs a reference to the contacts, a title, and a due date or a status",
    Entity.NOTE: "no table looks like notes: one needs a reference to the contacts and a text",
}


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
        Unplaced(entity.value, why) for entity, why in _NOTHING_LIKE.items() if entity not in held
    ]
    if Entity.CONTACT in held and places[0].tags is None:
        missing.append(Unplaced(TAGS, "no column and no join table looks like tags"))
    if (
        Entity.CONTACT in held
        and (apart := addresses_apart(by_name[places[0].table], tables)) is not None
    ):
        missing.append(
            Unplaced(
                apart.name,
                "addresses have a table of their own: offer a view that joins them to the contacts",
            )
        )
    unplaced = [one for one in found if isinstance(one, Unplaced)]
    tags = _tag_column(places)
    return Proposal(
        places=places,
        lines=(*(one for one in found if isinstance(one, Line)), *_tag_lines(places)),
        unplaced=(*missing, *(one for one in unplaced if one.where != tags)),
        region=ghl.region,
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
    task = child_place(Entity.TASK, contacts, rest)
    note = child_place(
        Entity.NOTE, contacts, [table for table in rest if not task or table.name != task.table]
    )
    return tuple(place for place in (contact, task, note) if place is not None)


def _tag_column(places: Iterable[Place]) -> str:
    return next((f"{place.table}.{place.tags.get('column')}" for place in places if place.tags), "")


def _tag_lines(places: Iterable[Place]) -> list[Line]:
    said: list[Mapping[str, str]] = [place.tags for place in places if place.tags]
    return [
        Line(
            Entity.CONTACT,
            TAGS,
            (TAGS,),
            0.95,
            f'the {"column" if "column" in tags else "join table"} "{tags.get("column") or tags["table"]}"',
        )
        for tags in said
    ]
