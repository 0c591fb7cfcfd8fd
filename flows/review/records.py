"""One record on a page of its own: why its values are what they are, or why it does not sync."""

from __future__ import annotations

from dataclasses import dataclass

from flows.outcome.brief import Brief, brief
from flows.outcome.sought import Sources
from flows.outcome.why_not import Finding, why_not
from flows.review.desk import Desk
from reconcile.entities import RECORDS
from reconcile.errors import StateError
from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class Record:
    """What is told of one; `brief` is None where nothing is kept under that name."""

    finding: Finding
    brief: Brief | None


def records(desk: Desk, entity: str, name: str) -> list[Record]:
    """The records that a key or an email means: at least one, which may be known nowhere.

    Raises StateError for a kind of record that there is none of, or that is not mapped.
    """
    if entity not in RECORDS or desk.sources is None:
        raise StateError(
            f"there is no kind of record {entity!r}",
            remedy=f"choose one of {', '.join(RECORDS)}",
            code="NO_RECORD",
        )
    with desk.sources() as sources:
        findings = why_not(sources, Entity(entity), name)
        return [Record(each, _brief(sources, each)) for each in findings]


def _brief(sources: Sources, finding: Finding) -> Brief | None:
    if not finding.ends.any:
        return None
    return brief(sources, finding.entity, finding.ends)
