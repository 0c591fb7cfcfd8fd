"""The value statement: every mapped value of every pair and single record in exactly one class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconcile.apply.verify import Residual
from reconcile.compare.diff import beside
from reconcile.model import Entity, Kind, Side
from reconcile.report.classes import AGREED, EQUAL, GONE, OF_RECORDS, VALUES_BY_NAME
from reconcile.report.statement import EntityStatement, Identity, Statement
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.policy import Leave, Situation, decide

_MOST_LISTED = 5_000
_CREATED = 1_000_000  # values looked at together
_LISTED = (
    *("entity", "field", "class", "because", "label"),
    *("app_key", "ghl_key", "app", "ghl"),
)


@dataclass(frozen=True, slots=True)
class ValueAccount:
    """The values of one entity: `total` of all pairs and single records, by `classes`.

    Each record has as many as there are mapped `fields`.

    `by_field` counts, for each field, what is in another class than equal, carried or by rule; a
    record of which all values are in one class counts for every field.
    """

    entity: Entity
    fields: int
    total: int
    classes: Mapping[str, int]
    by_field: Mapping[str, Mapping[str, int]]
    identities: tuple[Identity, ...]

    @property
    def apart(self) -> int:
        """Values of which it cannot be said that both sides agree."""
        return sum(many for name, many in self.classes.items() if name not in AGREED)


def agree(accounts: Iterable[ValueAccount]) -> bool:
    """Whether every value is equal, carried, or apart by rule, and every account adds up.

    Of no account it cannot be said.
    """
    accounts = tuple(accounts)
    if not accounts:
        return False
    sums = all(identity.holds for account in accounts for identity in account.identities)
    return sums and not any(account.apart for account in accounts)


def scoped(stage: Stage) -> bool:
    """Whether the run was about some contacts alone (a delta): of all others it says nothing."""
    known = [snapshot for (entity, _), snapshot in stage.snapshots.items() if entity.children]
    return bool(known) and all(snapshot.partial for snapshot in known)


def value_accounts(
    stage: Stage,
    entities: Sequence[EntityMap],
    state: Statement,
    *,
    residuals: Sequence[Residual] = (),
) -> tuple[ValueAccount, ...]:
    """The value account of every entity that the record statement has.

    It leaves `value_e`, every value that is not equal.

    `residuals` are writes that were read back and found different. Needs what `statement` made.
    """
    _load_residuals(stage, residuals)
    statements = {each.entity: each for each in state.entities}
    accounts = []
    for mapped in entities:
        of = statements.get(mapped.entity)
        if of is not None:
            accounts.append(_account(stage, mapped, of, applied=state.applied))
    return tuple(accounts)


def _load_residuals(stage: Stage, residuals: Sequence[Residual]) -> None:
    """Create `residual`: a row for each field that differs, or one of `*`, the whole record."""
    rows = []
    for residual in residuals:
        fields = residual.fields or ("*",)
        rows += [(residual.op_id, field, residual.because) for field in fields]
    columns = [("op_id", "VARCHAR"), ("field", "VARCHAR"), ("because", "VARCHAR")]
    stage.fill("residual", columns, [rows])


def _account(
    stage: Stage, mapped: EntityMap, of: EntityStatement, *, applied: bool
) -> ValueAccount:
    _make_values(stage, mapped, applied=applied)
    entity, width = mapped.entity, len(mapped.fields)
    classes: dict[str, int] = dict.fromkeys(VALUES_BY_NAME, 0)
    by_field: dict[str, dict[str, int]] = {}
    for field, name, count in _counts(stage, entity):
        fields = mapped.fields if field is None else (mapped.field(field),)
        classes[name] += count * len(fields)
        if name in AGREED:
            continue
        for each in fields:
            counts = by_field.setdefault(each.name, {})
            counts[name] = counts.get(name, 0) + count
    carried = f"SELECT class, sum(many) FROM carried_{entity} GROUP BY class"
    for carried_class, many in stage.rows(carried):
        classes[str(carried_class)] += int(str(many))
    classes[EQUAL] += _equal(stage, mapped)
    total = width * (_records(of) - _out_of_scope(stage, entity))
    # Counted in two ways, so that what gets lost in one of them is missed.
    identity = Identity(f"{entity}: values = sum of all classes", total, sum(classes.values()))
    return ValueAccount(entity, width, total, classes, by_field, (identity,))


def _counts(stage: Stage, entity: Entity) -> Iterator[tuple[str | None, str, int]]:
    """How many values of a field, or records (field None), are in a class."""
    query = f"SELECT field, class, count(*) FROM value_{entity} GROUP BY ALL ORDER BY ALL"
    for field, name, many in stage.rows(query):
        yield text(field), str(name), int(str(many))


def _records(of: EntityStatement) -> int:
    """How many records have values that count: linked pairs, and single ones that still exist."""
    alone = sum(sum(side.aside.values()) for side in of.sides)
    no_more = sum(side.aside.get(name, 0) for side in of.sides for name in ("deleted", GONE))
    return of.linked + alone - no_more


def _out_of_scope(stage: Stage, entity: Entity) -> int:
    """How many linked pairs the run was not about."""
    if not scoped(stage):
        return 0
    unread = "app_state = 'unknown' AND ghl_state = 'unknown'"
    return stage.count(f"SELECT count(*) FROM tie_{entity} WHERE paired AND {unread}")


def _equal(stage: Stage, mapped: EntityMap) -> int:
    """Equal values, counted from the cells, and from the links that did not move."""
    entity, width = mapped.entity, len(mapped.fields)
    paired = f"NOT excluded AND link_id IN (SELECT link_id FROM tie_{entity} WHERE paired)"
    compared = -stage.count(f"SELECT count(*) FROM turned_{entity} WHERE was_equal")
    for links in beside(stage, entity, where=paired):
        compared += stage.count(render("report/equal_compared", links=links, width=width))
    row = stage.one(render("report/unmoved", entity=entity))
    unmoved, standing = (int(str(number)) for number in row)
    return compared + unmoved * width - standing


# where the values are -----------------------------------------------------------------------------


def _make_values(stage: Stage, mapped: EntityMap, *, applied: bool) -> None:
    """Create `value_e` and `carried_e`."""
    entity = mapped.entity
    by_item = any(field.by_item for field in mapped.fields)
    stage.make("report/value", entity=entity)
    stage.make("report/carried", entity=entity)
    stage.make(
        "report/value_compared",
        entity=entity,
        applied=applied,
        by_item=by_item,
        classes=list(VALUES_BY_NAME),
    )
    _add_turned(stage, mapped, applied=applied)
    stage.make("report/value_whole", entity=entity, in_part=scoped(stage))
    stage.make("report/value_standing", entity=entity)
    for side in Side:
        stage.make("report/value_alone", entity=entity, side=side, of_records=OF_RECORDS)
    if stage.some("fate WHERE kind = 'create'"):
        _add_created(stage, mapped, applied=applied)


def _add_turned(stage: Stage, mapped: EntityMap, *, applied: bool) -> None:
    """Add the computed values that are others since this run wrote what they are computed of."""
    entity = mapped.entity
    stage.make("report/turned", entity=entity)
    computed = []
    for place, field in enumerate(mapped.fields, start=1):
        computed += [(place, field.name, side) for side in Side if field.computed(side)]
    if not applied or not computed:
        return
    paired = f"NOT excluded AND link_id IN (SELECT link_id FROM tie_{entity} WHERE paired)"
    for links in beside(stage, entity, where=paired):
        for place, name, side in computed:
            stage.make(
                "report/turned_part",
                entity=entity,
                side=side,
                other=side.other,
                place=place,
                field=name,
                links=links,
            )
    because = "computed of what this run wrote; the next run compares it"
    stage.make("report/value_turned", entity=entity, because=because)


def _add_created(stage: Stage, mapped: EntityMap, *, applied: bool) -> None:
    """Add the values of records that this run made."""
    entity = mapped.entity
    form = {field.name: "VARCHAR" for field in mapped.fields}
    faulty = [side for side in Side if stage.has(f"fault_{entity}_{side}")]
    fields = [_CreatedField(field.name, field.by_item, _left(field)) for field in mapped.fields]
    operations = stage.count("SELECT coalesce(max(rowid) + 1, 0) FROM fate")
    part = max(1, _CREATED // len(fields))
    for start in range(0, operations, part):
        stage.make(
            "report/created",
            entity=entity,
            form=json.dumps(form),
            faulty=faulty,
            start=start,
            stop=start + part,
        )
        stage.make("report/created_value", entity=entity, fields=fields, applied=applied)
        stage.make("report/value_created", entity=entity)


@dataclass(frozen=True, slots=True)
class _Left:
    """A difference that the next run leaves: the new record is on `side`.

    Which of the two values is blank.
    """

    side: Side
    source_blank: bool
    held_blank: bool


@dataclass(frozen=True, slots=True)
class _CreatedField:
    """A field of a record that was made, with the differences that its rule leaves."""

    name: str
    by_item: bool
    left: Sequence[_Left]


def _left(field: Field) -> list[_Left]:
    """Where the next run leaves a value that did not travel with its record, by rule.

    Else it carries it.
    """
    blanks = ((True, False), (False, True), (False, False))
    differences = [_Left(side, source, blank) for side in Side for source, blank in blanks]
    return [each for each in differences if field.rule.consent or _leaves(field, each)]


def _leaves(field: Field, difference: _Left) -> bool:
    blank = {
        difference.side: difference.held_blank,
        difference.side.other: difference.source_blank,
    }
    kind = Kind.CONFLICT
    if blank[Side.GHL]:
        kind = Kind.APP_MOVED
    elif blank[Side.APP]:
        kind = Kind.GHL_MOVED
    situation = Situation(kind, None, blank[Side.APP], blank[Side.GHL])
    return isinstance(decide(field.rule, situation), Leave)


# what is listed -----------------------------------------------------------------------------------


def listed(
    stage: Stage, entities: Sequence[EntityMap], *, classes: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """The values in these classes, the most urgent first, at most as many as people read."""
    there = [mapped.entity for mapped in entities if stage.has(f"value_{mapped.entity}")]
    if not there:
        return
    query = render(
        "report/value_listed",
        selected=_LISTED,
        entities=there,
        listed_classes=list(classes),
        classes=list(VALUES_BY_NAME),
        most=_MOST_LISTED,
    )
    for row in stage.rows(query):
        yield dict(zip(_LISTED, row, strict=True))
