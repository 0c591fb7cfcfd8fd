"""What both sides of the soak hold, by the numbers that its people gave their records."""

from __future__ import annotations

from collections import defaultdict

from flows.rehearse.book import Ident, Seen
from flows.rehearse.rules import Row
from tests.soak.app import App
from tests.soak.location import Place

_MARKED = {"task": "title", "note": "body", "company": "name", "opportunity": "title"}
"""Where the number of a record stands that is no person."""


def look(app: App, place: Place) -> Seen:
    """What both sides hold now."""
    rows: dict[str, dict[Ident, list[Row]]] = {}
    strays: dict[str, dict[str, Row]] = {}
    for side, held in (("app", app.rows()), ("ghl", place.rows())):
        found: dict[Ident, list[Row]] = defaultdict(list)
        strays[side] = {}
        contacts = {row.key: row.cells.get("ref") for row in held["contact"]}
        firms = {row.key: uid_of("company", row) for row in held["company"]}
        for entity, listed in held.items():
            for row in listed:
                uid = uid_of(entity, row)
                if row.of is not None:
                    row.of = contacts.get(row.of)
                if entity == "contact":
                    row.cells["firm_id"] = firms.get(row.cells["firm_id"] or "")
                if uid is None:
                    strays[side][row.key] = row
                else:
                    found[entity, uid].append(row)
        rows[side] = dict(found)
    return Seen(rows, strays)


def uid_of(entity: str, row: Row) -> str | None:
    """The number by which people know the record."""
    if entity == "contact":
        return row.cells.get("ref")
    said = row.cells.get(_MARKED[entity]) or ""
    marks = [word for word in said.split() if word.startswith("#") and word[1:].isalnum()]
    return marks[0][1:] if marks else None
