"""Says before answers are given that they alone would be more than one run may do."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flows.review.desk import Desk
from flows.review.questions import Question
from flows.review.together import Proposal
from reconcile.model import Entity, Side
from reconcile.plan.limits import Limits

_REMEDY = "Answer fewer at once, or let the next run go over it with"


def over_limits(desk: Desk, proposal: Proposal) -> list[str]:
    """A sentence for each limit that the next run would be refused for.

    It takes these answers to be all that the run does.

    What else the run finds to do is not known, so it may be refused all the same.
    """
    # Several answers about one record are one write to it.
    records = set()
    for question, choice in proposal.answers:
        record = _write(question, choice)
        if record is not None:
            records.add(record)
    linked = desk.ledger.linked()
    writes = Counter((kind, entity, side) for kind, entity, side, _ in records)
    sentences = []
    for (kind, entity, side), number in writes.items():
        most, name, limit = _most(kind, linked.get(entity, 0), desk.limits)
        if number > most:
            what = f"{number:,} {Entity(entity).plural} would be {_DONE[kind]} in {side.label}"
            allowed = f"one run may do {most:,.0f} ({limit})"
            sentences.append(f"{what}, and {allowed}. {_REMEDY} --allow {name}.")
    return sentences


_DONE = {"updates": "changed", "deletes": "deleted", "creates": "created"}


def _write(question: Question, choice: str) -> tuple[str, str, Side, Any] | None:
    """What an answer writes.

    The limit's name, the entity, the side, and the record, which counts once.
    """
    record = question.app_key or question.ghl_key
    side = question.side or Side.APP
    # A tag is written to its contact.
    entity = Entity(question.entity).record.value
    if choice in (Side.APP, Side.GHL):
        return "updates", entity, Side(choice).other, record
    if choice == "delete":
        return "deletes", entity, side, record
    if choice in ("create", "restore"):
        return "creates", entity, side.other, record
    return None


def _most(kind: str, linked: int, limits: Limits) -> tuple[float, str, str]:
    """How many one run may do, what lets it do more, and by which limit."""
    few = linked < limits.small
    if kind == "deletes":
        share = linked * limits.max_delete_share
        if few or limits.max_deletes <= share:
            return limits.max_deletes, kind, "max_deletes"
        return int(share), kind, "max_delete_share"
    if kind == "creates":
        if few:
            return limits.max_first_creates, "first-creates", "max_first_creates"
        return int(linked * limits.max_create_share), kind, "max_create_share"
    if few:
        return float("inf"), kind, "max_update_share"
    return int(linked * limits.max_update_share), kind, "max_update_share"
