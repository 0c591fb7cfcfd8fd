"""Which part of a plan a person approved.

The rest of it is not carried out, and the next plan has it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from reconcile.errors import Refused
from reconcile.model import Entity, Operation, OpKind, Side
from reconcile.plan.plan import Group, Plan


def picked(operations: Iterable[Operation], only: Sequence[str]) -> Iterator[Operation]:
    """Those operations that one of the parts names; all of them where none is given.

    A part is words joined by dots, all of which must fit: an entity, a kind of operation, a side, a
    risk (low, high), or a key or op_id. "contact.update" and "ghl.low" are parts, and so is
    "delete". A key with a dot in it stands alone.
    """
    parts = [_words(part) for part in only]
    for operation in operations:
        if (
            not only
            or any(_fits(operation, words) for words in parts)
            or _named(operation) & set(only)
        ):
            yield operation


def approved(operations: Iterable[Operation], only: Sequence[str]) -> set[str] | None:
    """The links that the approved part is about, with the contacts' that tasks and notes hang on.

    None where all is approved.
    """
    if not only:
        return None
    return {
        link
        for operation in picked(operations, only)
        for link in (operation.link_id, operation.parent)
        if link
    }


def narrowed(
    plan: Plan, operations: Callable[[], Iterable[Operation]], only: Sequence[str]
) -> Plan:
    """The plan with the figures of the approved part alone.

    Raises Refused where a part is in the plan nowhere.
    """
    if not only:
        return plan
    counts: Counter[tuple[OpKind, Entity, Side]] = Counter()
    risky: Counter[tuple[OpKind, Entity, Side]] = Counter()
    starting: Counter[tuple[OpKind, Entity, Side]] = Counter()
    loosening: Counter[tuple[OpKind, Entity, Side]] = Counter()
    unused = set(only)
    for operation in operations():
        group = (operation.kind, operation.entity, operation.side)
        counts[group] += 1
        risky[group] += operation.risk == "high"
        starting[group] += operation.starts_workflows
        loosening[group] += bool(operation.grounds)
        unused -= {part for part in unused if any(True for _ in picked([operation], (part,)))}
    if unused:
        raise Refused(
            f"nothing in the plan is {', '.join(sorted(unused))}",
            remedy=(
                "a part is words joined by dots: an entity, a kind, a side, "
                "low or high, or a record's key"
            ),
            code="NO_PART",
        )
    return replace(
        plan,
        groups=tuple(
            Group(
                entity=entity,
                side=side,
                kind=kind,
                count=count,
                risky=risky[kind, entity, side],
                starts_workflows=starting[kind, entity, side],
                opt_ins=loosening[kind, entity, side],
            )
            for (kind, entity, side), count in counts.items()
        ),
    )


def _words(part: str) -> set[str]:
    return set(part.split("."))


def _fits(operation: Operation, words: set[str]) -> bool:
    return words <= {
        operation.entity.value,
        operation.kind.value,
        operation.side.value,
        operation.risk,
        *_named(operation),
    }


def _named(operation: Operation) -> set[str]:
    return {name for name in (operation.op_id, operation.key, operation.source_key) if name}
