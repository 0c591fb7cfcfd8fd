"""Reads a GHL location once, and fills GHL's look-alike with what it holds."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.ghl import GhlConnector, schema
from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import Sandbox
from connectors.ghl.shapes import record, shape_of
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError
from reconcile.model import Entity
from reconcile.ports import Page, Record, Scope

Lines = list[dict[str, Any]]
"""Records as GHL sent them."""

_WHOLE = ("tags", "customFields", "dnd", "dndSettings", "inboundDndSettings", "type")
"""Members of a contact that are taken as they are."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a location says of itself, as GHL sent it: settings, fields, users and pipelines."""

    settings: Mapping[str, Any]
    fields: Lines
    users: Lines
    pipelines: Lines

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.settings["id"])


def read_location(connector: GhlConnector, kinds: Collection[Entity]) -> Location:
    """The location, without its records. Raises ConnectorError where GHL does not answer."""
    api = connector.api
    where = schema.location(api)
    fields = api.call("field.list", params={"model": "all"}).json().get("customFields") or []
    try:
        listed = api.call("user.list", params={"locationId": api.location}).json()
    except ConnectorError:  # a help alone, which a token need not be allowed
        listed = {}
    pipelines = {}
    if any(GHL[kind].apart for kind in kinds):
        pipelines = api.call("pipeline.list", params={"locationId": api.location}).json()
    return Location(
        {"id": api.location, **where},
        fields,
        listed.get("users") or [],
        pipelines.get("pipelines") or [],
    )


def lines_of(
    connector: GhlConnector,
    entity: Entity,
    parents: Sequence[str] | None = None,
) -> Lines:
    """All records of a kind, or those that hang on these contacts.

    Raises ConnectorError where not all of it could be read.
    """
    scope = Scope() if parents is None else Scope(parents=tuple(parents))
    entry: Lines = []
    for part in connector.extract(entity, scope):
        if isinstance(part, Page):
            entry += (json.loads(line) for line in part.lines.splitlines())
        elif not part.complete:
            raise ConnectorError(
                f"GHL's {entity.plural} could not be read whole: {part.why_incomplete}",
                remedy="try again when GHL answers",
                code="INCOMPLETE",
            )
    return entry


def furnish(sandbox: Sandbox, location: Location, token: str) -> None:
    """Make the location in GHL's look-alike, with its fields, users and pipelines."""
    said = location.settings
    allowed = said.get("settings") or {}
    sandbox.add_location(
        location.id,
        name=str(said.get("name") or "Rehearsal"),
        country=said.get("country") or "US",
        timezone=said.get("timezone") or "UTC",
        allow_duplicates=bool(allowed.get("allowDuplicateContact")),
        allow_duplicate_opportunities=bool(allowed.get("allowDuplicateOpportunity")),
    )
    sandbox.add_token(token, location.id)
    for field in location.fields:
        options = field.get("picklistOptions") or []
        sandbox.seed_custom_field(
            location.id,
            str(field.get("name") or field["id"]),
            str(field.get("dataType") or "TEXT"),
            picklist=[_option(one) for one in options],
            model=str(field.get("model") or OWNER),
            id=str(field["id"]),
            key=str(field.get("fieldKey") or ""),
        )
    for user in location.users:
        known = ("id", "firstName", "lastName", "email", "phone")
        sandbox.seed_user(location.id, **{name: user.get(name) or "" for name in known})
    for pipeline in location.pipelines:
        stages = [str(one.get("name")) for one in pipeline.get("stages") or []]
        sandbox.seed_pipeline(
            location.id,
            str(pipeline.get("name")),
            stages,
        )


def _option(said: Any) -> str:
    if isinstance(said, dict):
        return str(said.get("name") or said.get("value"))
    return str(said)


def load(sandbox: Sandbox, location: Location, kind: Entity, lines: Lines) -> None:
    """Put records into the look-alike; what hangs on a contact that is not there is left out."""
    known = {row["id"] for row in sandbox.contacts(location.id)}
    with sandbox.bulk():
        for line in lines:
            entry = _record(kind, line)
            values = {name: value for name, value in entry.fields.items() if value is not None}
            if kind is OWNER:
                sandbox.seed_contact(
                    location.id,
                    **_contact(
                        line,
                        entry,
                        values,
                    ),
                )
            elif GHL[kind].listed:
                name = str(values.pop("name", ""))
                sandbox.seed_business(
                    location.id,
                    name,
                    id=entry.key,
                    **values,
                )
            elif entry.parent in known:
                _hang(sandbox, kind, entry, values)


def _record(kind: Entity, line: dict[str, Any]) -> Record:
    names = [name for name in GHL[kind].paths if "." not in name]
    return record(line, shape_of(kind, names, {}))


def _contact(line: dict[str, Any], entry: Record, values: dict[str, Any]) -> dict[str, Any]:
    values = {**values, **{name: line[name] for name in _WHOLE if line.get(name) is not None}}
    for name in ("additionalEmails", "additionalPhones"):
        values[name] = list(_further(values.get(name)))
    values.pop("name", None)  # made of the first and the last one
    born = values.get("dateOfBirth")
    if isinstance(born, int | float):  # as search tells it (docs/ghl.md#dates)
        values["dateOfBirth"] = datetime.fromtimestamp(born / 1000, UTC).date().isoformat()
    return {**values, "id": entry.key, "dateUpdated": entry.modified_at}


def _further(further: Any) -> Iterator[str]:
    for one in further if isinstance(further, list) else ():
        said = one.get("email") or one.get("phone") if isinstance(one, dict) else one
        if said:
            yield str(said)


def _hang(sandbox: Sandbox, kind: Entity, entry: Record, values: dict[str, Any]) -> None:
    dated = {"dateUpdated": entry.modified_at} if entry.modified_at else {}
    getattr(sandbox, f"seed_{kind}")(
        str(entry.parent),
        id=entry.key,
        **{**values, **dated},
    )
