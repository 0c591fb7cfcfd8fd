"""The plan as a file: a JSON line for its head and each operation and hold, and its digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from reconcile.errors import StateError
from reconcile.model import Entity, Hold, Operation, OpKind, Side
from reconcile.plan.plan import Estimate, Group, Plan
from reconcile.values.jsonl import hold_from, line, operation_from

_FORMAT = 1
_BATCH = 2_000


def write(path: Path, plan: Plan, body: Iterable[str]) -> Plan:
    """Write a plan file, whole or not at all; returns the plan with its digest.

    `body` is a line for each operation and hold. The digest covers what will be done, its counts,
    and what it was concluded from, not the run's name: equal worlds give equal digests.
    """
    hasher = _concluded(plan)
    written, partial = path.with_suffix(".body"), path.with_suffix(".partial")
    rest = iter(body)
    with written.open("wb") as out:
        while lines := list(islice(rest, _BATCH)):
            hasher.update("".join(lines).encode())
            out.write(("\n".join(lines) + "\n").encode())
    finished = dataclasses.replace(plan, digest=hasher.hexdigest()[:16])
    # The head stands first and needs the digest of all that follows: the body is copied behind it.
    head = line({"format": _FORMAT, "plan": dataclasses.asdict(finished)})
    with partial.open("wb") as out, written.open("rb") as text:
        out.write(f"{head}\n".encode())
        shutil.copyfileobj(text, out, 1 << 20)
    written.unlink()
    partial.replace(path)
    return finished


def read(path: Path) -> Plan:
    """The head of a plan file. Raises StateError where the file is missing or is no plan."""
    try:
        with path.open(encoding="utf-8") as lines:
            members = json.loads(next(lines))
    except (OSError, ValueError, RecursionError, StopIteration) as error:
        raise _unreadable(path, 1, "a plan's head") from error
    written_as = members.get("format") if isinstance(members, dict) else None
    if written_as != _FORMAT:
        raise StateError(
            f"{path.name}: format {written_as!r}, expected {_FORMAT}",
            remedy="make the plan again with this version",
            code="PLAN_FILE",
        )
    try:
        head = members["plan"]
        head["groups"] = tuple(map(_group, head["groups"]))
        estimates = head["estimates"].items()
        head["estimates"] = {side: Estimate(**estimate) for side, estimate in estimates}
        head |= {name: dict(head[name]) for name in ("snapshots", "holds") if name in head}
        return Plan(**head)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, 1, "a plan's head") from error


def _group(members: dict[str, Any]) -> Group:
    typed = {
        "entity": Entity(members["entity"]),
        "side": Side(members["side"]),
        "kind": OpKind(members["kind"]),
        "deltas": tuple(members["deltas"]),
    }
    return Group(**(members | typed))


def operations(path: Path) -> Iterator[Operation]:
    """The operations of a plan file, streamed in their order."""
    for at, members in _body(path):
        if "hold" in members:
            return
        try:
            yield operation_from(members)
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(path, at, "an operation") from error


def holds(path: Path) -> Iterator[Hold]:
    """The holds of a plan file."""
    for at, members in _body(path):
        if "hold" in members:
            try:
                yield hold_from(members["hold"])
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(path, at, "a hold") from error


def _body(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as lines:
        next(lines, None)
        for at, text in enumerate(lines, start=2):
            try:
                members = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise _unreadable(path, at, "a line of JSON") from error
            if not isinstance(members, dict):
                raise _unreadable(path, at, "a JSON object")
            yield at, members


def digest(path: Path) -> str:
    """The digest of what a plan file holds; the head's is another when someone edited the file."""
    hasher = _concluded(read(path))
    with path.open("rb") as lines:
        next(lines)
        for text in lines:
            # Ends of lines are not part of it: a copy through another system may have others.
            hasher.update(text.rstrip(b"\r\n"))
    return hasher.hexdigest()[:16]


def _concluded(plan: Plan) -> hashlib._Hash:
    """A hash of what the plan was concluded from, and of the counts that it is judged by."""
    seen = {
        "pair": plan.pair,
        "config": plan.config_digest,
        "snapshots": dict(plan.snapshots),
        "at": plan.generation,
        "groups": [dataclasses.asdict(group) for group in plan.groups],
        "holds": dict(plan.holds),
    }
    return hashlib.sha256(line(seen).encode("utf-8", "surrogatepass"))


def _unreadable(path: Path, line: int, expected: str) -> StateError:
    return StateError(
        f"{path.name}:{line}: not {expected}", remedy="make the plan again", code="PLAN_FILE"
    )
