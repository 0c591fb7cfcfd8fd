"""How many of the app's records GHL is known to refuse as new ones, for want of a value."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.ghl.entities import GHL
from flows.doctor.finding import Finding, failures, ok, warning
from flows.doctor.sample import ROWS, first_records
from reconcile.errors import ConnectorError
from reconcile.model import Cell, Side
from reconcile.ports import Connector
from reconcile.values.mapping import EntityMap, Field, Mapping


def required(mapping: Mapping, app: Connector) -> Iterator[Finding]:
    """A finding for each field without which GHL refuses a new record, of kinds that are sent."""
    for mapped in mapping.entities:
        fields = [field for field in mapped.fields if Side.GHL in field.required_by]
        if not fields or not mapped.create.allows(Side.GHL):
            continue
        for field in fields:
            if field.rule.flow.owner is Side.GHL:
                yield _never_sent(mapped, field)
        sent = [field for field in fields if field.rule.flow.owner is not Side.GHL]
        try:
            yield from _counted(mapped, sent, app)
        except ConnectorError as failed:
            yield from failures(f"the app's {mapped.entity.plural}", failed)


def _never_sent(mapped: EntityMap, field: Field) -> Finding:
    what = (
        f"[{mapped.entity}.fields] {field.name} comes from GHL alone, and GHL takes no new "
        f"{mapped.entity} without it: none is sent"
    )
    return warning(what, f'Let it flow both ways, or write create = "app" in [{mapped.entity}].')


def _counted(mapped: EntityMap, fields: list[Field], app: Connector) -> Iterator[Finding]:
    filtered = [mapped.field(each.field) for each in mapped.filters]
    read = [*fields, *filtered]
    rows = 0
    blank = dict.fromkeys((field.name for field in fields), 0)
    for cells in first_records(mapped, read, app):
        if _left_out(mapped, cells):
            continue
        rows += 1
        for field in fields:
            blank[field.name] += not _has_value(field, cells[field.name])
    if rows:
        yield from (_finding(mapped, field, blank[field.name], rows) for field in fields)


def _left_out(mapped: EntityMap, cells: dict[str, Cell]) -> bool:
    return any((cells[each.field] in each.values) != each.negated for each in mapped.filters)


def _has_value(field: Field, cell: Cell) -> bool:
    """Whether something would be sent: what is unreadable is not."""
    if field.fallback is not None:
        return True
    return cell is not None and field.fault(cell) is None


def _finding(mapped: EntityMap, field: Field, blank: int, rows: int) -> Finding:
    entity = mapped.entity
    if not blank:
        return ok(f"{entity}: {field.name}, which GHL requires of a new one, is always there")
    of = f"the first {rows:,}" if rows >= ROWS else f"{rows:,}"
    lack = "lacks" if blank == 1 else "lack"
    what = (
        f"[{entity}.fields] {field.name}: {blank:,} of {of} {entity.plural} in the app {lack} a "
        f"value, and GHL takes no new {entity} without it: new ones are not sent [REQUIRED]"
    )
    native = next(name for name in field.ghl if name in GHL[entity].required)
    remedy = (
        "Fill it in in the app, or say what new ones get: "
        f'{field.name} = {{ ghl = "{native}", fallback = "…" }}. Without either you are asked '
        f"about each; leave them all out with: review --all --kind required --entity {entity} "
        "--take ignore"
    )
    return warning(what, remedy)
