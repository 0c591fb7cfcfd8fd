"""What a changed pair file would have planned on what earlier runs saw, without any request."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from reconcile import pipeline
from reconcile.baseline import differences
from reconcile.compare import restored
from reconcile.ledger.ledger import Decision, PairState
from reconcile.model import Entity, Side, Snapshot
from reconcile.plan import draft
from reconcile.plan.limits import Breach, Facts, Limits, breaches
from reconcile.plan.plan import Plan
from reconcile.stage.archive import Archived, codec_name
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import line
from reconcile.values.mapping import EntityMap, Field, Mapping

if TYPE_CHECKING:
    from reconcile.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Difference:
    """How a run's plan would have differed.

    Operations and holds are rows: see `_OPERATION` and `_HOLD`.
    """

    run_id: str
    operations_then: int
    operations_now: int
    holds_then: int
    holds_now: int
    gained: Sequence[Map[str, Any]] = ()
    lost: Sequence[Map[str, Any]] = ()
    changed: Sequence[Map[str, Any]] = ()
    holds_gained: Sequence[Map[str, Any]] = ()
    holds_lost: Sequence[Map[str, Any]] = ()
    refused: Sequence[Breach] = ()
    caveats: Sequence[str] = field(default=())

    @property
    def same(self) -> bool:
        """Whether the plan would have been the same."""
        operations = (self.gained, self.lost, self.changed)
        return not any((*operations, self.holds_gained, self.holds_lost))


def backtest(
    archived: Archived, mapping: Mapping, stage: Stage, *, limits: Limits, run_id: str
) -> Difference:
    """Compare what one run archived under `mapping`, in an empty `stage`.

    Raises StateError where the archive is not whole.

    Each run is taken on its own baseline, as it was: what a changed plan of one run would have
    meant for the next is not followed up.
    """
    known, caveats = _known(archived, mapping)
    _load(stage, archived, known)
    # Without the archived `swing` there is nothing by which a value went back and forth.
    flapping = limits.flapping if archived.has("swing") else 0
    _compare(stage, archived, known, flapping=flapping)
    return _difference(stage, archived, known, limits, run_id=run_id, caveats=caveats)


# what the archive can speak of --------------------------------------------------------------------


def _known(archived: Archived, mapping: Mapping) -> tuple[Mapping, list[str]]:
    """The part of the mapping that the run read, and a sentence for each other part."""
    caveats: list[str] = []
    entities = []
    for mapped in mapping.entities:
        if mapped.entity.value not in archived.manifest["entities"]:
            caveats.append(f"{mapped.entity.plural} were not read then: nothing is said of them")
            continue
        entities.append(_known_fields(archived, mapped, caveats))
    return Mapping(tuple(entities)), caveats


def _known_fields(archived: Archived, mapped: EntityMap, caveats: list[str]) -> EntityMap:
    then = archived.manifest["entities"][mapped.entity.value]
    fields = []
    for each in mapped.fields:
        unread: list[str] = []
        for side in Side:
            known = then["natives"][side.value]
            unread += [native for native in each.native(side) if native not in known]
        if unread:
            missing = ", ".join(unread)
            caveats.append(
                f"{mapped.entity}.{each.name}: {missing} was not read then; the field is left out"
            )
            continue
        fields.append(_without_unread(each, then))
        before = _field_then(then, each.name)
        if before is not None and before[1]["codec"] != codec_name(each.codec):
            caveats.append(
                f"{mapped.entity}.{each.name}: its codec differs from then; "
                "moved values may seem moved again"
            )
    names = {each.name for each in fields}
    rules = tuple(rule for rule in mapped.match if set(rule) <= names)
    excluded = tuple(rule for rule in mapped.exclude if rule.field in names)
    return dataclasses.replace(mapped, fields=tuple(fields), match=rules, exclude=excluded)


def _without_unread(each: Field, then: Map[str, Any]) -> Field:
    """The field without those of its further native fields that were not read then."""
    also = {}
    for side, names in each.also.items():
        known = then["natives"][side.value]
        also[side] = tuple(native for native in names if native in known)
    return dataclasses.replace(each, also=also)


def _field_then(then: Map[str, Any], name: str) -> tuple[int, Map[str, Any]] | None:
    """A field's place and description in the archived baseline."""
    for place, known in enumerate(then["fields"]):
        if known["name"] == name:
            return place, known
    return None


# loading and comparing ----------------------------------------------------------------------------


def _load(stage: Stage, archived: Archived, mapping: Mapping) -> None:
    for mapped in mapping.entities:
        entity = mapped.entity
        for side in Side:
            _load_side(stage, archived, mapped, side)
            stage.snapshots[entity, side] = _snapshot(archived, entity, side)
        stage.make("undo/base", entity=entity, archived=archived.relation(f"base_{entity}"))
        if archived.has(f"difference_{entity}"):
            differences.restore(stage, mapped, archived.relation(f"difference_{entity}"))
    if archived.has("looked"):
        stage.run(f"CREATE TABLE looked AS FROM {archived.relation('looked')}")
    stage.make("undo/grave", archived=archived.optional("grave"))


def _load_side(stage: Stage, archived: Archived, mapped: EntityMap, side: Side) -> None:
    """Load what the run read of one side: the native fields that the pair file names now."""
    name = f"{mapped.entity}_{side}"
    natives = archived.manifest["entities"][mapped.entity.value]["natives"][side.value]
    stage.make(
        "undo/raw",
        entity=mapped.entity,
        side=side,
        places=[natives.index(native) for native in mapped.native(side)],
        archived=archived.relation(f"raw_{name}"),
    )
    stage.blur(mapped, side)
    for table in (f"cover_{name}", f"proven_{name}"):
        stage.run(f"CREATE TABLE {table} AS {_keys(archived, table)}")


def _keys(archived: Archived, table: str) -> str:
    if archived.has(table):
        return f"SELECT key FROM {archived.relation(table)}"
    return "SELECT NULL::VARCHAR AS key WHERE false"


def _snapshot(archived: Archived, entity: Entity, side: Side) -> Snapshot:
    snapshot = archived.snapshot(entity, side)
    return snapshot or Snapshot(
        entity, side, 0, complete=False, taken_at="", fingerprint="", why_incomplete="not archived"
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """A question of that run, as the ledger keeps one."""

    hold_id: str
    values_digest: str
    body: str
    decision: str | None
    open: bool = True


@dataclass(frozen=True, slots=True)
class _Then:
    """What the ledger knew when the run began, as far as a comparison asks it."""

    mapping_digest: str
    digest_kind: str
    codecs: str
    taken: tuple[Decision, ...]
    questions: tuple[_Question, ...]

    def state(self) -> PairState:
        return PairState(
            mapping_digest=self.mapping_digest, digest_kind=self.digest_kind, codecs=self.codecs
        )

    def decisions(self) -> list[Decision]:
        return list(self.taken)

    def link_rows(self, *_: object) -> Iterator[list[Any]]:
        """None: what the baseline was is put together from that run's archive."""
        return iter(())

    def holds(self, *, only_open: bool = True) -> list[_Question]:
        return [each for each in self.questions if each.open or not only_open]


def _compare(stage: Stage, archived: Archived, mapping: Mapping, *, flapping: int) -> None:
    taken = tuple(_decisions(archived))
    kind = archived.manifest.get("digests", "")
    then = _Then(
        archived.manifest["mapping"],
        kind,
        mapping.codecs,
        taken,
        tuple(_questions(archived, taken)),
    )
    baseline = partial(_make_baseline, stage, archived)
    pipeline.link(stage, cast("Ledger", then), mapping, baseline=baseline)
    pipeline.diff(stage, mapping)
    if archived.has("never_blank"):
        stage.run(f"CREATE TABLE never_blank AS FROM {archived.relation('never_blank')}")
    restored.recall(
        stage,
        mapping,
        edited=archived.optional("edited_back"),
        parted=archived.optional("parted"),
        questions=archived.optional("in_question"),
    )
    if flapping:
        stage.run(f"CREATE TABLE swing AS FROM {archived.relation('swing')}")
    pipeline.make_draft(stage, mapping, flapping=flapping)


def _decisions(archived: Archived) -> Iterator[Decision]:
    if archived.has("decision"):
        query = (
            'SELECT hold_id, choice, values_digest, "by", reason '
            f"FROM {archived.relation('decision')}"
        )
        for hold_id, choice, values_digest, by, reason in archived.sql.execute(query).fetchall():
            yield Decision(hold_id, choice, values_digest, by, "", reason)


def _questions(archived: Archived, taken: Sequence[Decision]) -> Iterator[_Question]:
    if archived.has("hold"):
        answers = {decision.hold_id: decision.choice for decision in taken}
        columns = 'hold_id, values_digest, side, subject, because, "values"'
        query = f"SELECT {columns} FROM {archived.relation('hold')} WHERE side IS NOT NULL"
        for hold_id, digest, side, subject, because, values in archived.sql.execute(
            query
        ).fetchall():
            body = {"side": side, "subject": subject, "because": because}
            body["values"] = json.loads(values)
            yield _Question(hold_id, digest, line(body), answers.get(hold_id))


def _make_baseline(stage: Stage, archived: Archived, mapped: EntityMap) -> None:
    """Create `basecell_e`: archived for what had moved then.

    For the rest the baseline was what the snapshot showed.
    """
    table = f"basecell_{mapped.entity}"
    stage.make(
        "undo/basecell",
        entity=mapped.entity,
        fields=[_field_known(archived, mapped.entity, each) for each in mapped.fields],
        archived=archived.optional(table),
    )


@dataclass(frozen=True, slots=True)
class _FieldKnown:
    """Where the archived baseline has a field, as SQL counts.

    On which sides it was made of the same native fields as now.
    """

    place: int | None
    same: Map[str, bool]


def _field_known(archived: Archived, entity: Entity, each: Field) -> _FieldKnown:
    before = _field_then(archived.manifest["entities"][entity.value], each.name)
    if before is None:
        return _FieldKnown(None, dict.fromkeys((side.value for side in Side), False))
    at, described = before
    formula = each.formula and each.formula.text
    same = {
        side.value: tuple(described[side.value]) == each.native(side)
        and described.get("formula") == formula
        for side in Side
    }
    return _FieldKnown(at + 1, same)


# the difference -----------------------------------------------------------------------------------

_OPERATION = ("op_id", "kind", "entity", "side", "link_id", "key", "before", "after", "because")
_HOLD = ("hold_id", "kind", "entity", "subject", "field", "key", "because")


def _difference(
    stage: Stage,
    archived: Archived,
    mapping: Mapping,
    limits: Limits,
    *,
    run_id: str,
    caveats: Sequence[str],
) -> Difference:
    entities = [Entity.TAG, *(mapped.entity for mapped in mapping.entities)]
    known = ", ".join(literal(entity) for entity in entities)
    for table in ("planned", "hold"):
        rows = f"SELECT * FROM {archived.relation(table)} WHERE entity IN ({known})"
        stage.run(f"CREATE VIEW {table}_then AS {rows}")
    gained = list(_operations(stage, "planned", "planned_then"))
    lost = list(_operations(stage, "planned_then", "planned"))
    changed = _paired(gained, lost)
    plan = Plan(run_id, "", 0, "", {}, groups=draft.groups(stage))
    links = {
        mapped.entity: stage.count(f"SELECT count(*) FROM base_{mapped.entity}")
        for mapped in mapping.entities
    }
    writes = "SELECT count(*) FROM {} WHERE kind <> 'forget'"
    return Difference(
        run_id=run_id,
        operations_then=stage.count(writes.format("planned_then")),
        operations_now=stage.count(writes.format("planned")),
        holds_then=stage.count("SELECT count(*) FROM hold_then"),
        holds_now=stage.count("SELECT count(*) FROM hold"),
        gained=gained,
        lost=lost,
        changed=changed,
        holds_gained=_holds(stage, "hold", "hold_then"),
        holds_lost=_holds(stage, "hold_then", "hold"),
        refused=breaches(plan, Facts(stage.snapshots, links), limits),
        caveats=caveats,
    )


def _operations(stage: Stage, plan: str, other_plan: str) -> Iterator[dict[str, Any]]:
    """The operations that stand in one plan alone."""
    query = render("undo/only_planned", plan=plan, other_plan=other_plan)
    for batch in stage.stream(query):
        for row in batch:
            operation: dict[str, Any] = dict(zip(_OPERATION, row, strict=True))
            for cells in ("before", "after"):
                operation[cells] = json.loads(operation[cells] or "{}")
            yield operation


def _holds(stage: Stage, holds: str, other_holds: str) -> list[dict[str, Any]]:
    """The questions that one run alone asks."""
    query = render("undo/only_asked", holds=holds, other_holds=other_holds)
    return [dict(zip(_HOLD, row, strict=True)) for row in stage.rows(query)]


def _paired(gained: list[dict[str, Any]], lost: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take what only has other values out of both: it is changed, not gained and lost."""
    named = {_name(each): each for each in lost}
    changed = []
    for each in list(gained):
        before = named.get(_name(each))
        if before is not None:
            gained.remove(each)
            lost.remove(before)
            changed.append(each | {"then": before["after"]})
    return changed


def _name(row: Map[str, Any]) -> tuple[Any, ...]:
    return row["kind"], row["entity"], row["side"], row["link_id"]
