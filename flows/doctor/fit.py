"""Whether the mapping fits what both sides say they are."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from flows.config.sides import AppForm, JoinForm, TableForm
from flows.doctor.finding import Finding, error, ok, warning
from reconcile.entities import RECORDS
from reconcile.model import Side
from reconcile.ports import Description, FieldInfo, FieldType
from reconcile.values.codecs import Choice, Phone
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import Blank, Flow, OnConflict

_FITTING: Mapping[FieldType, frozenset[str]] = {
    "date": frozenset({"date", "text"}),
    "instant": frozenset({"instant", "date", "text"}),
    "decimal": frozenset({"decimal", "decimal_comma", "text", "choice"}),
    "integer": frozenset({"decimal", "decimal_comma", "bool", "choice", "consent", "text"}),
    "bool": frozenset({"bool", "choice", "consent"}),
    "tags": frozenset({"tags", "set"}),
    "json": frozenset({"tags", "set"}),
    "email": frozenset({"email", "text"}),
    "phone": frozenset({"phone", "text"}),
}
"""Which codecs can read and write a field of a type; other types take any."""


def fit(mapping: PairMapping, described: Mapping[Side, Description]) -> Iterator[Finding]:
    """Everything in the mapping that does not fit one of the sides.

    The side does not have it, does not take it, or cannot tell.
    """
    count = 0
    for entity in mapping.entities:
        for field in entity.fields:
            for side in Side:
                for finding in _field(entity, field, side, described[side]):
                    count += 1
                    yield finding
    for entity in mapping.entities:
        for finding in _whole(entity, described):
            count += 1
            yield finding
    if not count:
        fields = sum(len(entity.fields) for entity in mapping.entities)
        yield ok(f"all {fields} mapped fields fit both sides")


def computed(mapping: PairMapping) -> Iterator[Finding]:
    """Which values stand in no column: they are computed of those that do."""
    for entity in mapping.entities:
        for field in entity.fields:
            owner = field.rule.flow.owner
            if field.formula is not None and owner is not None:
                where = f"[{entity.entity}.fields] {field.name}"
                names = ", ".join(field.formula.names)
                yield ok(f"{where} is computed in {owner.label}, of {names}: {field.formula.text}")


def unstamped(app: AppForm) -> Iterator[Finding]:
    """Which joined tables have no time of change: a delta asks by time alone."""
    for entity in RECORDS:
        table = getattr(app, entity.value, None)
        if not isinstance(table, TableForm) or table.modified_at is None:
            continue
        names = [name for name, join in table.join.items() if not _stamped(join)]
        if names:
            where = f"[app.{entity}.join] {', '.join(names)}"
            what = "the next full run sees an edit there alone, a delta may not"
            yield ok(f"{where}: not every table has a modified_at, so {what}")


def _stamped(join: JoinForm) -> bool:
    """Whether each row that an edit may change has a time."""
    ends = [join.modified_at] if join.via is None else [join.modified_at, join.via.modified_at]
    return None not in ends


def _field(
    entity: EntityMap, field: Field, side: Side, described: Description
) -> Iterator[Finding]:
    known = described.fields.get(entity.entity, {})
    computed = field.computed(side) is not None
    for native in (*field.native(side), *field.also.get(side, ())):
        where = f'[{entity.entity}.fields] {field.name}: "{native}" in {side.label}'
        info = known.get(native)
        if info is None:
            yield error(f"{where} does not exist", _near(native, known))
        elif native in field.native(side) and not computed:
            yield from _native(where, field, info, writes=field.rule.flow.owner is not side)


def _near(native: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(native, known, n=3)
    if not close:
        return "Correct the name, or take the line away."
    return f"Did you mean {' or '.join(close)}?"


def _native(where: str, field: Field, info: FieldInfo, *, writes: bool) -> Iterator[Finding]:
    if writes and not info.writable:
        yield error(
            f"{where} cannot be written", 'Give the line a one-way "flow" that only reads it.'
        )
    fitting = _FITTING.get(info.type)
    if fitting is not None and field.codec.name not in fitting:
        codec = f'is of type {info.type}, and the codec is "{field.codec.name}"'
        yield warning(f"{where} {codec}", f"Use one of the codecs {', '.join(sorted(fitting))}.")
    if writes and field.rule.blank is Blank.CLEAR and not info.clearable:
        yield warning(f"{where} cannot be cleared once it has a value", 'Use blank = "keep" there.')
    if info.choices and isinstance(field.codec, Choice):
        unknown = sorted(_words(field.codec, info) - set(info.choices))
        if unknown:
            yield error(
                f"{where} does not offer {', '.join(unknown)}",
                f"It offers: {', '.join(info.choices)}.",
            )


def _words(codec: Choice, info: FieldInfo) -> set[str]:
    """The declared words of the side whose choices these are.

    The one that has more of them in common.
    """
    app, ghl = set(codec.table), set(codec.table.values())
    if len(app & set(info.choices)) > len(ghl & set(info.choices)):
        return app
    return ghl


def _whole(entity: EntityMap, described: Mapping[Side, Description]) -> Iterator[Finding]:
    for field in entity.fields:
        if field.rule.conflict is OnConflict.NEWEST and field.rule.flow is Flow.BOTH:
            for side in Side:
                if entity.entity not in described[side].modified:
                    what = (
                        f'[{entity.entity}.fields] {field.name}: "newest", '
                        f"but {side.label} has no time of change"
                    )
                    yield error(what, "Use hold, app or ghl.")
        if (
            isinstance(field.codec, Phone)
            and field.codec.region is None
            and described[Side.GHL].region is None
        ):
            what = (
                f"[{entity.entity}.fields] {field.name}: no country is set for numbers "
                "without a country code"
            )
            yield warning(what, 'Write region = "US" (or another) at the top of the pair file.')
