"""Whether the owners that the app names are users of the location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from flows.config import Pair
from flows.config.natives import ASSIGNED
from flows.doctor.finding import Finding, error, failures, ok, warning
from flows.doctor.sample import first_values
from reconcile.errors import ConnectorError
from reconcile.model import Cell, Side
from reconcile.ports import Connector
from reconcile.values.codecs import Owner
from reconcile.values.mapping import EntityMap, Field, Mapping

_NAMED = 10


def owners(pair: Pair, mapping: Mapping, app: Connector) -> Iterator[Finding]:
    """A finding for each field that holds an owner, and one for the default."""
    for mapped in mapping.entities:
        fields = [field for field in mapped.fields if isinstance(field.codec, Owner)]
        if not fields:
            continue
        yield from _defaults(pair, mapped, fields)
        try:
            said = first_values(mapped, fields, app)
        except ConnectorError as failed:
            yield from failures("the owners", failed)
            continue
        for field in fields:
            yield _finding(mapped, field, said[field.name])


def _defaults(pair: Pair, mapped: EntityMap, fields: list[Field]) -> Iterator[Finding]:
    """A default that the location does not have: no run uses it."""
    declared = {one.entity: one for one in pair.mapping.entities}[mapped.entity]
    for field in fields:
        general = pair.ghl.default_owner if ASSIGNED in field.ghl else None
        named = declared.field(field.name).fallback or general
        default = field.codec.decode([named], Side.APP)
        fault = field.codec.fault(default)
        if fault is not None:
            what = f"{field.name}: new records are to get the owner {default}: {fault}"
            yield error(what, "Correct default_owner (or fallback), or add that user in GHL.")


def _finding(mapped: EntityMap, field: Field, said: Counter[Cell]) -> Finding:
    strangers = Counter({email: n for email, n in said.items() if field.codec.fault(email)})
    line = f"[{mapped.entity}.fields] {field.name}: owners"
    if not strangers:
        return ok(f"{line} whom the app names are users of the location")
    named = [f"{email} ({count:,})" for email, count in strangers.most_common(_NAMED)]
    more = f" and {len(strangers) - _NAMED:,} more" if len(strangers) > _NAMED else ""
    what = f"{line} who are no users of the location: {', '.join(named)}{more}"
    remedy = (
        f"New records of theirs get {field.fallback}; others keep whom they have."
        if field.fallback
        else "Add them as users in GHL, or say in default_owner under [ghl] who gets new records."
    )
    return warning(what, remedy)
