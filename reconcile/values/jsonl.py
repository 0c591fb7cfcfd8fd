"""Nouns as lines of JSON, the form of plan files and of the journal; blank members are left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

from reconcile.model import Entity, Hold, Operation, OpKind, Outcome, Side, Snapshot, Status

_OPERATION = tuple(member.name for member in dataclasses.fields(Operation))
_OUTCOME = tuple(member.name for member in dataclasses.fields(Outcome))
_HOLD = tuple(member.name for member in dataclasses.fields(Hold))


def line(members: object) -> str:
    """JSON on one line with its members in order, so that equal content is equal text."""
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def operation_json(operation: Operation) -> str:
    """One operation."""
    return line(
        {
            name: value
            for name in _OPERATION
            if (value := getattr(operation, name)) not in (None, {}, False, "low")
        }
    )


def operation_from(members: dict[str, Any]) -> Operation:
    """The operation that members describe.

    Raises KeyError, TypeError or ValueError where they describe none.
    """
    kinds = {
        "kind": OpKind(members["kind"]),
        "entity": Entity(members["entity"]),
        "side": Side(members["side"]),
    }
    return Operation(**{**members, **kinds})


def hold_json(hold: Hold) -> str:
    """One hold."""
    return line(
        {name: value for name in _HOLD if (value := getattr(hold, name)) not in (None, (), {}, "")}
    )


def hold_line(hold: Hold) -> str:
    """One hold as a line of a plan file, among operations."""
    return '{"hold":' + hold_json(hold) + "}"


def body(operations: Iterable[Operation], holds: Iterable[Hold]) -> Iterator[str]:
    """The body of a plan file."""
    yield from map(operation_json, operations)
    yield from map(hold_line, holds)


def hold_from(members: dict[str, Any]) -> Hold:
    """The hold that members describe.

    Raises KeyError, TypeError or ValueError where they describe none.
    """
    kinds = {
        "entity": Entity(members["entity"]),
        "side": Side(members["side"]) if "side" in members else None,
    }
    return Hold(**{**members, **kinds, "options": tuple(members.get("options", ()))})


def outcome_json(outcome: Outcome) -> str:
    """One outcome."""
    return line(
        {
            name: value
            for name in _OUTCOME
            if (value := getattr(outcome, name)) not in (None, (), "", False)
        }
    )


def outcome_from(members: dict[str, Any]) -> Outcome:
    """The outcome that members describe."""
    kinds = {
        "status": Status(members["status"]),
        "unsent": tuple(members.get("unsent", ())),
    }
    return Outcome(**{**members, **kinds})


def snapshot_json(snapshot: Snapshot) -> str:
    """One snapshot."""
    return line(
        {member.name: getattr(snapshot, member.name) for member in dataclasses.fields(Snapshot)}
    )


def snapshot_from(members: dict[str, Any]) -> Snapshot:
    """The snapshot that members describe."""
    kinds = {"entity": Entity(members["entity"]), "side": Side(members["side"])}
    return Snapshot(**{**members, **kinds, "quarantined": tuple(members["quarantined"])})
