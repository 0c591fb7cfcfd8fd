"""Which column is which GHL field.

By its name in any convention or language, and by the values it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.ghl.entities import GHL
from flows.init.addresses import PARTS, Addresses, addresses
from flows.init.consents import consents
from flows.init.entities import LIKENESS
from flows.init.evidence import (
    evidence,
    has_decimal_comma,
    has_markup,
    is_moment,
    is_yes_or_no,
    lost_zeros,
)
from flows.init.exports import COUNTRIES
from flows.init.found import Column, Table
from flows.init.proposal import SURE, Line, Unplaced
from flows.init.words import (
    CONTACT,
    DONE,
    GENDER,
    MOBILE,
    ROLE,
    SECRET_WORDS,
    STRANGERS,
    Concept,
    likeness,
    words,
)
from reconcile.model import Entity
from reconcile.ports import FieldInfo, FieldType

_BY_VALUE = {"email": 0.75, "phone": 0.62}
_CODECS = {
    "date": "date",
    "decimal": "decimal",
    "integer": "decimal",
    "bool": "bool",
    "instant": "instant",
}
_MANY_WORDS = 12
_TEXTS: frozenset[FieldType] = frozenset(["text", "integer", "phone", "email", "choice"])
_DATES: frozenset[FieldType] = frozenset(["text", "date", "instant", "integer"])
_DONE: frozenset[FieldType] = frozenset(["bool", "choice"])
_TYPES: Mapping[Concept, frozenset[FieldType]] = {
    "dateOfBirth": _DATES,
    "dueDate": _DATES,
    "startTime": _DATES,
    "endTime": _DATES,
    "completed": _DATES | _DONE,
    "monetaryValue": frozenset(["decimal", "integer", "text"]),
}
_FOREIGN = frozenset({"fk", "id"})
_IDS = frozenset({"id", "fk", "uuid", "guid"})


@dataclass(frozen=True, slots=True)
class Guess:
    """That a column is a concept, how sure, and why."""

    column: Column
    concept: Concept
    confidence: float
    because: str


def role(table: Table, name: Concept) -> Column | None:
    """The column with a role of its own, such as modified_at."""
    scored = [
        (likeness(column.title, ROLE[name], context=words(table.name)), column)
        for column in table.columns
    ]
    best = max(scored, key=lambda pair: pair[0], default=None)
    if best is None or best[0] < 0.9 or (name == "modified_at" and not _timely(best[1])):
        return None
    return best[1]


def _timely(column: Column) -> bool:
    return is_moment(column) or not column.samples


def guess(column: Column, concept: Concept, synonyms: str, context: Sequence[str]) -> Guess:
    """How sure it is that a column is a concept, by its name first and by its values second."""
    if column.meaning or column.strange:
        known = float(column.meaning == concept)
        return Guess(column, concept, known, f'the export\'s column "{column.name}"')
    if _is_strange(column, concept):
        return Guess(column, concept, 0.0, "")
    by_name = likeness(column.title, synonyms, context=context)
    seen = evidence(column, concept)
    reasons = []
    if by_name:
        reasons.append(f'the name "{column.name}"')
    if seen.words:
        reasons.append(seen.words)
    confidence = _confidence(column, concept, by_name, seen.share)
    return Guess(column, concept, round(confidence, 2), " and ".join(reasons))


def _confidence(column: Column, concept: Concept, by_name: float, share: float | None) -> float:
    """How sure a column is a concept.

    `by_name` is how like their names are, `share` how many of its values look like it, None where
    there are no values to look at; both from 0 to 1.
    """
    if by_name and share is None:
        return by_name * 0.95
    if share is None:
        return 0.0
    if by_name and share < 0.5:
        return by_name * 0.5
    if by_name:
        return by_name * (0.7 + 0.3 * share)
    if column.type == "text" and share >= 0.8 and _shows(column, concept):
        return _BY_VALUE.get(concept, 0.0) * share
    return 0.0


def _shows(column: Column, concept: Concept) -> bool:
    """Whether values alone are enough: a number of a telephone begins as no other number does."""
    begun = [sample for sample in column.samples if sample.startswith(("+", "0", "("))]
    return concept != "phone" or len(begun) >= 0.5 * len(column.samples)


def _is_strange(column: Column, concept: Concept) -> bool:
    """Whether a column cannot be a concept.

    Its type says so, its values, or a word that makes it something else.
    """
    if column.type not in _TYPES.get(concept, _TEXTS):
        return True
    emails = evidence(column, "email").share or 0
    if concept != "email" and emails >= 0.8:
        return True
    return not STRANGERS.get(concept, frozenset()).isdisjoint(words(column.title))


def guesses(table: Table, entity: Entity) -> tuple[Guess, ...]:
    """The best concept of each column and the best column of each concept, surest first.

    A column without any value comes after one with values, however well it is called.
    """
    columns = [column for column in free_columns(table) if not is_key_like(column)]
    known = any(column.meaning for column in columns)
    address = addresses(columns) if entity.spec.person and not known else Addresses()
    context = (*words(table.name), *address.prefix)
    candidates = [
        _in_address(guess(column, concept, synonyms, context), address)
        for column in columns
        for concept, synonyms in LIKENESS[entity].concepts.items()
        if column.name not in address.others
    ]
    # The surest pair of a column and a concept is taken first, and both are gone then.
    candidates.sort(key=_order)
    chosen: dict[Concept, Guess] = {}
    for one in candidates:
        taken = {other.column.name for other in chosen.values()}
        if one.confidence >= SURE and one.concept not in chosen and one.column.name not in taken:
            chosen[one.concept] = one
    for one in _pointing(table, entity):
        chosen.setdefault(one.concept, one)
    return tuple(_names_settled(chosen).values())


def _pointing(table: Table, entity: Entity) -> Iterator[Guess]:
    """References that are called after what GHL tells by name: stage_id, pipeline_id."""
    for column, target in table.references.items():
        own = [word for word in words(column) if word not in _IDS]
        title = " ".join(own)
        for concept in sorted(GHL[entity].named):
            synonyms = LIKENESS[entity].concepts[concept]
            sure = likeness(title, synonyms, context=words(table.name))
            if sure < SURE:
                continue
            yield Guess(
                table.column(column),
                concept,
                round(0.95 * sure, 2),
                f'the name "{column}", and it points to "{target}"',
            )


def _order(one: Guess) -> tuple[bool, float]:
    """GHL texts to a contact's phone: of two that are as sure, the mobile one comes first."""
    mobile = one.concept == "phone" and not MOBILE.isdisjoint(words(one.column.title))
    return not one.column.samples, -one.confidence - 0.1 * mobile


def _in_address(one: Guess, address: Addresses) -> Guess:
    """A part of the address that counts is surer than its name alone says.

    No other column is one then.
    """
    if not address.chosen or one.concept not in PARTS:
        return one
    if address.chosen.get(one.column.name) != one.concept:
        return replace(one, confidence=0.0)
    seen = evidence(one.column, one.concept)
    if seen.share is not None and seen.share < 0.5:
        return one
    return replace(one, confidence=max(one.confidence, 0.93))


def is_key_like(column: Column) -> bool:
    """Whether a column holds keys of other rows by its name: fk_country, company_id."""
    own = words(column.title)
    return len(own) > 1 and (own[0] in _FOREIGN or own[-1] in _IDS)


def free_columns(table: Table) -> list[Column]:
    """The columns that are neither keys nor references nor have a role of their own."""
    roles = [role(table, name) for name in ROLE]
    taken = {column.name for column in roles if column is not None}
    taken |= set(table.references)
    if not table.natural:
        taken |= set(table.key)
    return [column for column in table.columns if column.name not in taken]


def _names_settled(chosen: dict[Concept, Guess]) -> dict[Concept, Guess]:
    """A "name" beside a first name is the last name, beside a last name the first.

    Name and Vorname, nombre and apellidos.
    """
    whole = chosen.get("name")
    if whole is None or ("firstName" in chosen) == ("lastName" in chosen):
        if whole is not None and "firstName" in chosen:
            del chosen["name"]
        return chosen
    missing = "lastName" if "firstName" in chosen else "firstName"
    chosen[missing] = replace(
        whole, concept=missing, because=f"{whole.because}, beside the other part of the name"
    )
    del chosen["name"]
    return chosen


def lines(
    table: Table, entity: Entity, known: Mapping[str, FieldInfo], *, parent: str | None = None
) -> Iterator[Line | Unplaced]:
    """A line for each column that has a place, or a word why it has none.

    They come in the order of the columns, without `parent`.
    """
    placed = {one.column.name: one for one in guesses(table, entity)}
    more = _more(table, placed.values())
    extra = {name for names in more.values() for name in names}
    whole = {column.name: column.list_of for column in table.columns if column.list_of}
    apart = _calling_code(table) if entity.spec.person else None
    said = consents(free_columns(table)) if GHL[entity].consent else {}
    free = free_columns(table)
    for column in (each for each in table.columns if each in free or each.name in placed):
        if column.name in said and column.name not in placed:
            yield said[column.name]
            continue
        if {column.name, whole.get(column.name)} & extra or column.name == parent:
            continue
        best = placed.get(column.name)
        if best is not None:
            line = line_of(best, entity, also=more.get(best.concept, ()))
            if best.concept == "phone" and apart:
                line = _one_way(line, apart)
            yield line
            continue
        custom = _custom(column, known, table, entity)
        if custom is not None:
            yield custom
            continue
        where = f"{table.name}.{column.list_of or column.name}"
        yield Unplaced(where, _why(column, placed, entity), entity)


def _calling_code(table: Table) -> Column | None:
    """The column that holds a phone's country code apart from its number."""
    phone = frozenset(["phone", "phones", "mobile", "tel"])
    for column in table.columns:
        own = words(column.title)
        if own[-1:] == ("code",) and not phone.isdisjoint(own):
            return column
    return None


def _one_way(line: Line | Unplaced, apart: Column) -> Line | Unplaced:
    """A number without its country code is read; GHL's, which has one, is not written over it."""
    if isinstance(line, Unplaced):
        return line
    because = f'{line.because}; its country code is in "{apart.name}", so it is only read'
    return replace(line, flow="app->ghl", because=because)


def _more(table: Table, placed: Iterable[Guess]) -> dict[Concept, tuple[str, ...]]:
    """Further columns with emails or phones: they count when matching."""
    taken = {one.column.name for one in placed}
    further: dict[Concept, tuple[str, ...]] = {}
    for concept in ("email", "phone"):
        others = [column for column in free_columns(table) if column.name not in taken]
        sure = [guess(column, concept, CONTACT[concept], words(table.name)) for column in others]
        names = tuple(
            one.column.list_of or one.column.name for one in sure if one.confidence >= SURE
        )
        if names and any(one.concept == concept for one in placed):
            further[concept] = names
    return further


def line_of(best: Guess, entity: Entity, *, also: tuple[str, ...] = ()) -> Line | Unplaced:
    """A guess as a line of the pair file.

    It is a word why it has no place, where its values do not fit.
    """
    column, concept = best.column, best.concept
    native = LIKENESS[entity].natives.get(concept, concept)
    if column.list_of:  # of a column that holds several, the first is the value
        also = (f"{column.list_of}[1:]", *also)
    line = Line(
        entity,
        column.name,
        (native,),
        best.confidence,
        best.because,
        column.distinct[:3],
        also=also,
    )
    digits = lost_zeros(column) if concept == "postalCode" else None
    if digits:
        because = f"{line.because}; zeros are missing in front"
        return replace(line, digits=digits, because=because)
    if entity.spec.person and concept == "country":
        return _country(line, column)
    if concept == "body" and has_markup(column):
        return replace(line, codec="html")
    if entity.spec.completes and concept == "completed":
        return _completed(line, column)
    if entity.spec.person and concept == "name":
        return replace(line, ghl=("firstName", "lastName"), codec="name")
    known = GHL[entity].info.get(native)
    if known and known.choices:
        return _offered(line, column, known.choices)
    if known and known.type == "decimal" and has_decimal_comma(column):
        return replace(line, codec="decimal_comma")
    return line


def _offered(line: Line, column: Column, offered: Sequence[str]) -> Line | Unplaced:
    """GHL takes a few words alone; others need a table of choices."""
    said = column.words or column.distinct
    if set(said) <= set(offered):
        return line
    choices: dict[str, str | bool] = {word: word.casefold() for word in said}
    if set(choices.values()) <= set(offered):
        return replace(line, choices=choices)
    why = f'GHL takes {", ".join(offered)}: map it with choices = {{ "…" = "…" }}'
    return Unplaced(f"{line.entity}.{column.name}", why, line.entity)


def _country(line: Line, column: Column) -> Line | Unplaced:
    """GHL takes the two letters of a country; names need a table of choices."""
    if not column.samples and "code" not in words(column.title):
        why = "it is empty, so nobody can tell whether it holds the two letters that GHL takes"
        return Unplaced(f"{line.entity}.{column.name}", why, line.entity)
    if all(len(sample) == 2 for sample in column.samples):
        return line
    if any(name not in COUNTRIES for name in column.distinct):
        why = 'GHL takes two letters for a country: map it with choices = { "…" = "…" }'
        return Unplaced(f"{line.entity}.{column.name}", why, line.entity)
    choices = {name: COUNTRIES[name] for name in column.distinct}
    return replace(line, choices=choices, because=f"{line.because}; add the countries to come")


def _completed(line: Line, column: Column) -> Line | Unplaced:
    """GHL's tasks are completed or not; a status of several words needs a table of choices."""
    if is_yes_or_no(column):
        return line
    if is_moment(column):
        why = "it holds a time, and GHL wants yes or no: offer a view with a yes-or-no column"
        return Unplaced(f"{line.entity}.{column.name}", why, line.entity)
    known = column.words or column.distinct
    if not known or len(known) > _MANY_WORDS:
        return Unplaced(
            f"{line.entity}.{column.name}",
            f"which of its words mean that {line.entity.indefinite} is done is not known",
            line.entity,
        )
    choices = {word: bool(DONE.intersection(words(word))) for word in known}
    return replace(line, choices=choices, because=f"{line.because}; check which words mean done")


def _custom(
    column: Column, known: Mapping[str, FieldInfo], table: Table, entity: Entity
) -> Line | None:
    """The custom field whose key or label is closest to the column's name."""
    secret = SECRET_WORDS.intersection(words(column.name))
    if not GHL[entity].custom or column.strange or secret:
        return None
    confidence, key = 0.0, ""
    for name, info in known.items():
        own_key = name.removeprefix(f"{entity}.")
        if own_key == name or not info.writable or not _takes(info, column):
            continue
        for said in filter(None, (own_key, info.label)):
            like = likeness(column.title, " ".join(words(said)), context=words(table.name))
            confidence, key = max((confidence, key), (like, name))
    if confidence < SURE:
        return None
    because = f'the custom field "{known[key].label or key}"'
    codec = _CODECS.get(known[key].type)
    if codec == "decimal" and has_decimal_comma(column):
        codec = "decimal_comma"
    return Line(
        entity, column.name, (key,), round(confidence, 2), because, column.distinct[:3], codec=codec
    )


def _takes(info: FieldInfo, column: Column) -> bool:
    """Whether a custom field may hold what a column does: a text of GHL's is no JSON document."""
    return column.type != "json" or info.type in ("tags", "json")


def _why(column: Column, placed: Mapping[str, Guess], entity: Entity) -> str:
    if column.strange:
        return column.strange
    if SECRET_WORDS.intersection(words(column.name)):
        return "it looks like a secret, which has no business in GHL"
    if column.type == "json":
        return "it holds JSON, and GHL texts: offer a view with what GHL shall show of it"
    if entity.spec.person and likeness(column.name, GENDER) >= SURE:
        return "GHL takes a gender only when a contact is created"
    if entity.spec.person and likeness(column.name, CONTACT["name"]) >= SURE and len(placed) > 1:
        return "first and last name have columns of their own"
    if GHL[entity].custom:
        return f'GHL has no such field; make a custom field and write its key, "{entity}.…"'
    return f"GHL's {entity.plural} have no such field"
