"""Whether the database takes the writes that runs will make.

Each kind is tried in a transaction that is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING

from connectors.ghl.entities import GHL
from flows.config import Pair
from flows.doctor.finding import Finding, error, failures, ok, warning
from reconcile.errors import ConfigError, ConnectorError
from reconcile.model import Cell, Side
from reconcile.ports import Connector, Json
from reconcile.values.codecs import Choice
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.policy import OnDelete
from reconcile.values.references import Linked

if TYPE_CHECKING:
    from connectors.sql import Try, Wish

_CELLS: Mapping[str, str] = {
    "phone": "+12025550100",
    "date": "2000-01-31",
    "instant": "2030-01-31T09:00:00Z",
    "decimal": "1",
    "bool": "true",
}
_KNOWN_BY = ("email", "phone", "name", "firstName")
"""GHL's fields of a person, of whom somebody in a hurry enters one.

The first of these that is mapped.
"""

_REMEDIES = {
    "CONSTRAINT": (
        "Give that column a value for new rows (on_create), or map a field to it with a "
        "fallback or required = true."
    ),
    "FORBIDDEN": "Grant the login what it lacks, or let the entity flow to GHL alone.",
    "NO_KEY": (
        "Let the pair write to the table itself; what a view joined may be a join of the pair file."
    ),
    "REFERRED_TO": (
        "Let the foreign key say ON DELETE CASCADE, or name the table's soft-delete column "
        "(deleted)."
    ),
    "VIEW": (
        "Give the view a trigger (INSTEAD OF, in SQLite and PostgreSQL) or a rule (PostgreSQL) "
        "for it; or map the table itself: what a view joined may be a join of the pair file. "
        'Where the app is only read, write create = "ghl" and let the fields flow "app->ghl".'
    ),
    "NOT_TRIED": "Look at the first run's plan with care, or let the table have transactions.",
}


def rehearsal(pair: Pair, connector: Connector) -> list[Finding]:
    """What the database answers to a create, an update and a delete of each entity.

    Nothing of them stays.
    """
    from connectors.sql import SqlConnector

    if not isinstance(connector, SqlConnector):
        return []
    creatable = (one for one in pair.mapping.entities if one.create.allows(Side.APP))
    mapped = {one.entity: one for one in creatable if _written(one)}
    if not mapped:
        return []
    try:
        tries = connector.rehearse({entity: _wish(one) for entity, one in mapped.items()})
    except (ConnectorError, ConfigError) as failed:
        return failures("trying writes", failed)
    return list(_found(tries))


def _written(mapped: EntityMap) -> bool:
    return any(field.rule.flow.owner is not Side.APP and field.app for field in mapped.fields)


def _found(tries: list[Try]) -> Iterator[Finding]:
    from connectors.sql.rehearsal import LEAST

    good = [f"{one.what} of {one.entity.indefinite}" for one in tries if not one.code]
    if good:
        yield ok(f"the database takes, and takes back: {', '.join(good)}")
    for one in tries:
        if not one.code:
            continue
        remedy = _REMEDIES.get(one.code, "Correct the field's line, or what it is written to.")
        what = (
            f"{one.entity}: {_article(one.what)} {one.what} would be refused: "
            f"{one.why} [{one.code}]"
        )
        # Somebody fills in more than the least: that is no reason to stop.
        least = one.what == LEAST or one.code == "NOT_TRIED"
        yield warning(what, remedy) if least else error(what, remedy)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _wish(mapped: EntityMap) -> Wish:
    from connectors.sql import Wish

    # What refers to another record is left blank: there may be none yet to refer to.
    written = [
        field
        for field in mapped.fields
        if field.rule.flow.owner is not Side.APP
        and field.app
        and not isinstance(field.codec, Linked)
    ]
    if mapped.entity.spec.person:
        known = (field for word in _KNOWN_BY for field in written if word in field.ghl)
        named = list(known)[:1]
    else:
        required = set(GHL[mapped.entity].required)
        named = [field for field in written if required & set(field.ghl)]
    always = [f for f in written if f.constant or f.fallback or f.required]
    return Wish(
        _natives(written),
        _natives([*named, *always]),
        _natives(written),
        deletes=mapped.delete[Side.APP] in (OnDelete.MIRROR, OnDelete.ARCHIVE),
    )


def _natives(fields: list[Field]) -> dict[str, Json]:
    """A value for each native field; None where the column itself says best what it takes."""
    values: dict[str, Json] = {}
    for field in fields:
        cell = _cell(field)
        values |= dict.fromkeys(field.app) if cell is None else field.encode(cell, Side.APP)
    return values


def _cell(field: Field) -> Cell:
    if field.constant or field.fallback:
        return field.constant or field.fallback
    if isinstance(field.codec, Choice):
        return next(iter(field.codec.table.values()), None)
    if field.codec.name == "email":
        return f"never.used.{token_hex(4)}@example.com"
    return _CELLS.get(field.codec.name)
