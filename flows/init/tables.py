"""Which table holds contacts, tasks, notes and tags: by its columns, its name and what it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.init.columns import guesses, role
from flows.init.entities import LIKENESS
from flows.init.evidence import is_moment, tag_form
from flows.init.proposal import SURE, Place
from flows.init.survey import Column, Table
from flows.init.words import CONTACT, TABLES, likeness, table_likeness, words
from reconcile.entities import OWNER
from reconcile.model import Entity

_WEIGHTS = {
    "email": 3.0,
    "phone": 2.0,
    "firstName": 1.5,
    "lastName": 1.5,
    "name": 1.5,
    "dateOfBirth": 1.0,
}
_KEY_WORDS = frozenset({"id", "fk", "ref", "key", "nr", "no", "uuid", "guid", "codigo", "cod"})


@dataclass(frozen=True, slots=True)
class Scored:
    """A table in the running for an entity."""

    table: Table
    score: float
    because: str
    parent: str | None = None


def contact_place(tables: Sequence[Table]) -> Place | None:
    """The table of contacts, with where its tags are."""
    best = max(
        (_as_contact(table, tables) for table in tables), key=lambda one: one.score, default=None
    )
    if best is None or best.score < 4.0:
        return None
    tags = _tags(best.table, tables)
    return _place(OWNER, best, min(1.0, best.score / 10), tags=tags)


def _as_contact(table: Table, tables: Sequence[Table]) -> Scored:
    found = guesses(table, OWNER)
    score = sum(_WEIGHTS.get(one.concept, 0.5) * one.confidence for one in found)
    score += 3 * table_likeness(table.name, LIKENESS[OWNER].tables)
    score -= 3 * table_likeness(table.name, TABLES["not contact"])
    score += min(2.0, 0.5 * sum(table.name in other.references.values() for other in tables))
    return Scored(table, score, "it has " + ", ".join(one.concept for one in found))


def child_place(entity: Entity, contacts: Table, tables: Sequence[Table]) -> Place | None:
    """The table of tasks or notes: it refers to the contacts, and has what a task or a note has."""
    scored = [
        _as_child(entity, table, parent)
        for table in tables
        if (parent := reference(table, contacts)) is not None
    ]
    best = max(scored, key=lambda one: one.score, default=None)
    if best is None or best.score < 1.5:
        return None
    return _place(entity, best, min(1.0, best.score / 4))


def _as_child(entity: Entity, table: Table, parent: str) -> Scored:
    found = {one.concept: one.confidence for one in guesses(table, entity)}
    like = LIKENESS[entity]
    named = table_likeness(table.name, like.tables)
    siblings = (each for each in OWNER.children if each is not entity)
    other = max(table_likeness(table.name, LIKENESS[each].tables) for each in siblings)
    fits = like.fits(found, named=named > 0)
    score = 2 * named + like.weigh(found) - 2 * other
    because = f'its column "{parent}" refers to the contacts, and it has {", ".join(found)}'
    return Scored(table, score if fits else 0.0, because, parent)


def reference(table: Table, target: Table) -> str | None:
    """The column of `table` that refers to `target`: as the database says, or by its name (customer_id, customerId)."""
    for column, referred in table.references.items():
        if referred == target.name:
            return column
    if table.name == target.name:
        return None
    same = [
        column.name
        for column in table.columns
        if (column.name,) == target.key and len(words(column.name)) > 1
    ]
    if same:
        return same[0]
    wanted = {form for word in words(target.name) for form in _singulars(word)} | set(
        LIKENESS[OWNER].tables.split()
    )
    for candidate in table.columns:
        own = set(words(candidate.title))
        if own & wanted and own & _KEY_WORDS and candidate.name not in table.references:
            return candidate.name
    return None


def _singulars(word: str) -> set[str]:
    return {
        word,
        word.removesuffix("s"),
        word.removesuffix("es"),
        word.removesuffix("n"),
        word.removesuffix("en"),
    }


def addresses_apart(contacts: Table, tables: Sequence[Table]) -> Table | None:
    """A table of its own for what belongs to a contact's address, where the contacts have none."""
    parts = {"address1", "city", "postalCode"}
    if parts.intersection(one.concept for one in guesses(contacts, OWNER)):
        return None
    for table in tables:
        found = {one.concept for one in guesses(table, OWNER)}
        if len(parts & found) > 1 and reference(table, contacts) is not None:
            return table
    return None


def _place(
    entity: Entity, chosen: Scored, confidence: float, *, tags: Mapping[str, str] | None = None
) -> Place:
    table = chosen.table
    key = table.key or tuple(
        column.name for column in table.columns if words(column.name) == ("id",)
    )
    found = {
        name: column.name
        for name in ("modified_at", "version", "deleted")
        if (column := role(table, name))
    }
    return Place(
        entity,
        table.name,
        key,
        round(confidence, 2),
        chosen.because,
        parent=chosen.parent,
        modified_at=found.get("modified_at"),
        version=found.get("version"),
        deleted=found.get("deleted"),
        tags=tags,
    )


def _tags(contacts: Table, tables: Sequence[Table]) -> Mapping[str, str] | None:
    column = max(contacts.columns, key=lambda one: _as_tags(one, contacts))
    if _as_tags(column, contacts) >= SURE and not is_moment(column):
        form, delimiter = tag_form(column)
        said = {"column": column.name, "form": form}
        return said | ({"delimiter": delimiter} if form in ("delimited", "quoted") else {})
    joined = [found for table in tables if (found := _joined(table, contacts, tables)) is not None]
    return joined[0] if joined else None


def _as_tags(column: Column, contacts: Table) -> float:
    if column.meaning is not None:
        return float(column.meaning == "tags")
    return likeness(column.title, CONTACT["tags"], context=words(contacts.name))


def _joined(table: Table, contacts: Table, tables: Sequence[Table]) -> Mapping[str, str] | None:
    """A join table with one row per contact and tag, holding the tag itself or the key of its name."""
    contact = reference(table, contacts)
    if contact is None or not table_likeness(table.name, TABLES["tag"]):
        return None
    said = {"table": table.name, "contact": contact}
    for column, referred in table.references.items():
        names = next((other for other in tables if other.name == referred), None)
        if (
            names is not None
            and referred != contacts.name
            and (text := _tag_text(names, contact=""))
            and names.key
        ):
            return said | {
                "tag": column,
                "names": referred,
                "names_key": names.key[0],
                "names_column": text,
            }
    text = _tag_text(table, contact=contact)
    return said | {"tag": text} if text else None


def _tag_text(table: Table, *, contact: str) -> str | None:
    said = f"{CONTACT['tags']}|name|title|text|value|bezeichnung|libelle|nombre|nom|nome"
    texts = [
        column
        for column in table.columns
        if column.name not in (*table.key, contact) or len(table.key) > 1
    ]
    scored = [
        (likeness(column.name, said, context=words(table.name)), column.name)
        for column in texts
        if column.name != contact
    ]
    best = max(scored, default=(0.0, ""))
    return best[1] if best[0] >= SURE else None
