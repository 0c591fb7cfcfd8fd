"""Of which rows GHL is known to make no record, as a column that it requires is blank there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from connectors.ghl.entities import GHL
from flows.init.found import Table
from flows.init.proposal import SURE, Line, Place, Proposal

_MAY_BE = "may be blank"
"""What the database says of a column that is blank in no row: said in the file alone."""


def with_blanks(line: Line, table: Table) -> Line:
    """The line, with how often its column is blank where GHL requires it of a new record."""
    required = GHL[line.entity].required
    if not set(line.ghl) & set(required):
        return line
    columns = [column for column in table.columns if column.name == line.column]
    if not columns:  # it is of a joined table
        return line
    (column,) = columns
    # Samples are without blanks: the fullest column shows how many rows there are at least.
    looked_at = max(len(table.rows), *(len(each.samples) for each in table.columns))
    blank = looked_at - len(column.samples)
    if blank:
        return replace(line, blank=f"is blank in {blank:,} of the {looked_at:,} rows looked at")
    if table.declared and column.nullable:
        return replace(line, blank=_MAY_BE)
    return line


def unmapped(place: Place, lines: Iterable[Line]) -> list[str]:
    """What GHL requires of a new record and no column is mapped to."""
    mapped = {name for line in lines if line.confidence >= SURE for name in line.ghl}
    return [name for name in GHL[place.entity].required if name not in mapped]


def sentences(proposal: Proposal) -> Iterator[str]:
    """What a person has to know before the first run, of each kind of record."""
    for place in proposal.places:
        lines = proposal.fields(place.entity)
        entity = place.entity
        missing = unmapped(place, lines)
        if missing:
            yield (
                f"GHL takes no new {entity} without {' and '.join(missing)}, and no column is "
                f"mapped to that: {entity.plural} are not created in GHL. Map a column, or a "
                "constant with create_only = true, and take that line create away."
            )
        elif place.creates_on == "ghl":
            yield from (_blank(line) for line in lines if _is_told(line))


def _is_told(line: Line) -> bool:
    return line.confidence >= SURE and line.blank not in ("", _MAY_BE)


def _blank(line: Line) -> str:
    native = " and ".join(line.ghl)
    return (
        f"GHL takes no new {line.entity} without {native}, and {line.column} {line.blank}: "
        f"such {line.entity.plural} are not sent, and you are asked. Fill them in, or let the "
        f'line say what they get: {{ ghl = "{native}", fallback = "…" }}.'
    )
