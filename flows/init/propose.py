"""From what two sides hold to a proposed mapping, without asking either of them anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flows.init.beside import Beside, Search
from flows.init.columns import lines
from flows.init.ends import Scalar, commonest, holding, new_values, tenant, tenant_of
from flows.init.entities import LIKENESS
from flows.init.found import Table
from flows.init.joining import beside
from flows.init.owners import owners
from flows.init.pivot import called_so
from flows.init.pointed import company_flag
from flows.init.proposal import SURE, Line, Place, Proposal, Unplaced
from flows.init.references import with_references
from flows.init.required import with_blanks
from flows.init.tables import child_places, contact_places, linked_places
from flows.init.tagging import tags_place
from flows.init.words import TABLES, table_likeness
from reconcile.entities import ALONE, OWNER
from reconcile.model import Entity
from reconcile.ports import Description
from reconcile.values.mapping import TAGS

_CLOSE = 0.7
"""A table that is this much like another one is said beside it."""

_CALLED = "name|title|label|stage|pipeline|titel|bezeichnung|nombre|titulo|nom|libelle|nome|titolo"
"""What the column is called that says what a row is."""


Choose = Callable[[str, Sequence[str]], str]
"""Which of several candidates is meant; the likeliest comes first."""


def likeliest(_question: str, candidates: Sequence[str]) -> str:
    """What is taken where nobody is asked; the others are told."""
    return candidates[0]


@dataclass(frozen=True, slots=True)
class Whose:
    """The tenant whose records are meant.

    The column that says so, its value, and the values of others.
    """

    column: str = ""
    value: str = ""
    others: tuple[str, ...] = ()


def propose(
    tables: Sequence[Table],
    ghl: Description,
    choose: Choose = likeliest,
) -> Proposal:
    """Where contacts, tasks, notes and tags are, and which column is which field.

    Pure, the same input gives the same.
    """
    tables = with_references(tables)
    by_name = {table.name: table for table in tables}
    proposed: list[Line | Unplaced] = []
    places = _places(tables, proposed, choose)
    for place in places:
        known = ghl.fields.get(place.entity, {})
        table = by_name[place.table]
        said = lines(table, place.entity, known, parent=place.parent)
        found = [_looked_up(line, table, by_name) for line in said]
        proposed += [_counted(one, table) for one in found]
    if places:
        whose = _whose(by_name[places[0].table], tables, choose)
        places = _with_all(places, tables, proposed, whose)
        proposed += owners(places, by_name, [one for one in proposed if isinstance(one, Line)])
    present = {place.entity for place in places}
    missing = [
        Unplaced(entity.value, like.lacking)
        for entity, like in LIKENESS.items()
        if entity not in present and like.lacking
    ]
    if places and places[0].tags is None:
        missing.append(Unplaced(TAGS, "no column and no join table looks like tags"))
    unplaced = [one for one in proposed if isinstance(one, Unplaced)]
    tags = _tag_column(places)
    return Proposal(
        places=places,
        lines=(*(one for one in proposed if isinstance(one, Line)), *_tag_lines(places)),
        unplaced=(*missing, *(one for one in unplaced if one.where != tags)),
        region=ghl.region,
        timezone=ghl.timezone,
    )


def _counted(line: Line | Unplaced, table: Table) -> Line | Unplaced:
    return with_blanks(line, table) if isinstance(line, Line) else line


def _looked_up(
    line: Line | Unplaced, table: Table, by_name: Mapping[str, Table]
) -> Line | Unplaced:
    """A line with what the rows are called that its column points to."""
    if not isinstance(line, Line) or line.column not in table.references:
        return line
    target = by_name.get(table.references[line.column])
    called = None
    if target is not None and len(target.key) == 1:
        called = called_so(target.columns, _CALLED)
    if target is None or called is None:
        return Unplaced(
            f"{table.name}.{line.column}",
            "it holds keys, and nothing says what GHL calls them: map it with a lookup",
            line.entity,
        )
    (key,) = target.key
    said = {
        "table": target.name,
        "key": key,
        "value": called.name,
    }
    return replace(
        line,
        lookup=said,
        samples=called.distinct[:3],
    )


def _places(
    tables: Sequence[Table],
    proposed: list[Line | Unplaced],
    choose: Choose,
) -> tuple[Place, ...]:
    likely = contact_places(tables)
    if not likely:
        return ()
    contacts = _chosen(likely, proposed, choose)
    own = next(table for table in tables if table.name == contacts.table)
    places = [contacts]
    # Administrators must not become contacts because nobody said who is a customer.
    if table_likeness(own.bare, TABLES["not contact"]):
        why = (
            f'"{own.name}" may hold those who work with the application too: '
            "say by where who is a contact"
        )
        return (
            replace(
                contacts,
                creates=why,
                creates_on="none",
            ),
        )
    for entity in OWNER.children:
        taken = {place.table for place in places}
        free = [table for table in tables if table.name not in taken]
        likely = child_places(entity, own, free)
        if likely:
            places.append(_chosen(likely, proposed, choose))
    for place, line in linked_places(own, tables)[:1]:
        if place.table not in {other.table for other in places}:
            places.append(place)
            proposed.append(line)
    return tuple(places)


def _chosen(
    likely: Sequence[Place],
    proposed: list[Line | Unplaced],
    choose: Choose,
) -> Place:
    """The table of several that are nearly as likely; the others are told."""
    close = [one for one in likely if one.confidence >= _CLOSE * likely[0].confidence]
    names = list(dict.fromkeys(one.table for one in close))
    name = names[0]
    if len(names) > 1:
        name = choose(f"Which table holds the {likely[0].entity.plural}?", names)
    chosen = next(one for one in close if one.table == name)
    proposed += [
        Unplaced(
            one.table,
            f'it looks like {one.entity.plural} too ({one.because}); "{chosen.table}" was taken',
        )
        for one in close
        if one.table != name
    ]
    return chosen


def _with_all(
    places: tuple[Place, ...],
    tables: Sequence[Table],
    proposed: list[Line | Unplaced],
    whose: Whose,
) -> tuple[Place, ...]:
    """The places with what stands beside their tables.

    They say whose records are meant, and what new rows get.
    """
    by_name = {table.name: table for table in tables}
    contacts = by_name[places[0].table]
    if whose.others:
        why = (
            f'{whose.column} = "{whose.value}" was taken; '
            f"contacts of {', '.join(whose.others)} are not touched"
        )
        proposed.append(Unplaced(f"{contacts.name}.{whose.column}", why))
    fixed = tenant_of(contacts, whose.column, whose.value)
    taken = {place.table for place in places if place.entity not in ALONE}
    rest = [table for table in tables if table.name not in taken]
    first = replace(
        places[0],
        tags=tags_place(
            contacts,
            rest,
            fixed,
        ),
    )
    first = replace(first, fixed=_people(contacts))
    if len(contacts.key) == 1:
        first = _with_joins(first, contacts, rest, proposed)
    return tuple(
        _selected(
            place,
            by_name[place.table],
            whose,
            proposed,
        )
        for place in (first, *places[1:])
    )


def _people(contacts: Table) -> dict[str, Scalar]:
    """What people hold who share a table with companies."""
    flag = company_flag(contacts)
    if flag is None:
        return {}
    return {flag: False}


def _whose(
    contacts: Table,
    tables: Sequence[Table],
    choose: Choose,
) -> Whose:
    column = tenant(contacts, tables)
    if column is None:
        return Whose()
    tenants = contacts.column(column)
    most = commonest(tenants.samples)
    values = sorted(tenants.distinct, key=lambda one: one != most)
    value = most
    if len(values) > 1:
        value = choose(f"Whose contacts are meant, by {column}?", values)
    return Whose(
        column,
        value,
        tuple(one for one in tenants.distinct if one != value),
    )


def _with_joins(
    place: Place, contacts: Table, rest: Sequence[Table], proposed: list[Line | Unplaced]
) -> Place:
    own = {
        name: line
        for line in proposed
        if isinstance(line, Line)
        for name in line.ghl
        if line.entity is OWNER
    }
    # A column that nobody fills does not keep a table from being looked at that somebody does.
    filled = {name for name, line in own.items() if line.samples and line.confidence >= SURE}
    wanted = {concept for concept in LIKENESS[OWNER].concepts if concept not in filled} - {"name"}
    tags = (place.tags or {}).get("table")
    free = [table for table in rest if table.name != tags]
    joined, left = beside(
        Search(
            contacts,
            (contacts, *free),
            wanted,
            {*own},
        )
    )
    for one in joined:
        proposed += _said(one, own, proposed)
    proposed += left
    return replace(place, joins=tuple(one.join for one in joined))


def _said(
    one: Beside, own: Mapping[str, Line], proposed: list[Line | Unplaced]
) -> list[Line | Unplaced]:
    """The lines of a joined table, in place of columns that nobody fills."""
    said: list[Line | Unplaced] = []
    for line in one.lines():
        [name] = line.ghl
        empty = own.get(name)
        if empty is not None and empty in proposed:
            proposed.remove(empty)
            said.append(
                Unplaced(
                    empty.column,
                    f'it is empty, and "{line.column}" is not',
                    OWNER,
                )
            )
        said.append(line)
    return said


def _selected(
    place: Place,
    table: Table,
    whose: Whose,
    proposed: Iterable[Line | Unplaced],
) -> Place:
    """A place with the values that select its records, and those that new ones get."""
    fixed = {
        **tenant_of(
            table,
            whose.column,
            whose.value,
        ),
        **place.fixed,
    }
    mapped = [
        line.column
        for line in proposed
        if isinstance(line, Line) and line.entity is place.entity and line.confidence >= SURE
    ]
    roles = [
        place.parent,
        place.modified_at,
        place.version,
        place.deleted,
    ]
    pointers = [name for join in place.joins for name in join.said.get("on", {}).values()]
    given = [
        *place.key,
        *fixed,
        *mapped,
        *(name for name in roles if name),
        *pointers,
    ]
    values, lacking = new_values(
        table,
        given,
        holding(table, fixed),
    )
    why = (
        f'a new row of "{table.name}" needs {", ".join(lacking)}, and its rows differ there'
        if lacking
        else ""
    )
    return replace(
        place,
        fixed=fixed,
        on_create=values,
        creates=place.creates or why,
    )


def _tag_column(places: Iterable[Place]) -> str:
    return next((f"{place.table}.{place.tags.get('column')}" for place in places if place.tags), "")


def _tag_lines(places: Iterable[Place]) -> list[Line]:
    said = [place.tags for place in places if place.tags]
    return [
        Line(
            Entity.TAG.record,
            TAGS,
            (TAGS,),
            0.95,
            (
                f"the {'column' if 'column' in tags else 'join table'} "
                f'"{tags.get("column") or tags["table"]}"'
            ),
        )
        for tags in said
    ]
