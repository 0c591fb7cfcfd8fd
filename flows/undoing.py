"""Takes a run back: a plan from its journal and archive, through the same limits, approval, journal and settlement as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows import steps, sync
from flows.keeping import brought
from flows.run import Run
from flows.sync import Do, plainly
from flows.telling import Told, tell
from reconcile import planfile, runs, schema, settle, takeback
from reconcile.archive import MANIFEST, Archived, Buried
from reconcile.errors import ConnectorError, Refused, StateError
from reconcile.journal import Journal
from reconcile.limits import Facts, breaches
from reconcile.lines import body
from reconcile.mapping import Mapping
from reconcile.model import Entity, Outcome, Side
from reconcile.plan import Plan, estimate
from reconcile.ports import Page, Scope, Shape
from reconcile.ports import Path as JsonPath
from reconcile.report import About
from reconcile.report.undone import undone_document
from reconcile.undo import Present, Undo, groups
from reconcile.undo import undo as undone

NOTES = "undo.json"
"""Beside the plan: which run it takes back, what stays, and what nothing brings back."""

_FURTHER_BACK = 100
"""Earlier runs whose archives are asked for notes that the run itself had no budget to read."""


def undo(run: Run, of: str, do: Do = plainly) -> Told:
    """Plan how to take run `of` back, and carry it out where the options allow writes. Raises Refused like any run."""
    do(steps.recover, run)
    plan = do(make_plan, run, of)
    return tell(run, "planned", write=told) if not run.options.writes else _go_on(run, plan, do)


def apply(run: Run, digest: str, do: Do = plainly) -> Told:
    """Carry out an approved undo plan, exactly as it was shown. Raises StalePlan where something settled since."""
    do(steps.recover, run)
    return _go_on(run, steps.take_over(run, digest), do)


def is_undo(run: Run) -> bool:
    """Whether the plan of this run takes another run back."""
    row = runs.find(run.ledger, run_id=run.run_id)
    return row is not None and row.job == takeback.UNDO


def _go_on(run: Run, plan: Plan, do: Do) -> Told:
    try:
        do(check, run, plan)
    except Refused as refusal:
        tell(run, "refused", refusal=str(refusal), write=told)
        raise
    sync.apply(run, plan, do)
    do(settle_undo, run)
    do(steps.read_back, run)
    return tell(run, "stopped" if run.stopped else "settled", write=told)


# planning -----------------------------------------------------------------------------------------------------------


def make_plan(run: Run, of: str) -> Plan:
    """Write the plan file of the undo, with its notes beside it. Raises StateError where the run cannot be taken back."""
    row = runs.find(run.ledger, run_id=of)
    if row is None:
        raise StateError(f"there is no run {of}", remedy="list runs with `history`", code="NO_RUN")
    with ExitStack() as held:
        made = undone(of, Journal(run.ledger, of).entries(), _present(run, of, held))
    _keep_notes(run.folder, made)
    counted = groups(made.operations)
    head = Plan(
        run_id=run.run_id,
        pair=run.pair.name,
        generation=run.ledger.state().generation,
        config_digest=run.pair.config_digest,
        snapshots={"undo": of},
        groups=counted,
        estimates={
            side: estimate(counted, side, run.described[side], connector.usage(), recheck=run.pair.apply.recheck)
            for side, connector in run.connectors.items()
        },
    )
    run.plan = planfile.write(run.plan_path, head, body(made.operations, ()))
    runs.mark(run.ledger, run.run_id, state="planned", plan_digest=run.plan.digest, generation=head.generation)
    return run.plan


def _present(run: Run, of: str, held: ExitStack) -> Present:
    graves = _Graves(run, of, held)
    return Present(
        mapping=run.mapping,
        read=lambda side, entity, key, parent: run.connectors[side].read(entity, key, parent),
        children=lambda side, contact: _children(run, side, contact),
        key_of=lambda entity, link_id, side: _key_of(run, entity, link_id, side),
        link_of=lambda entity, side, key: _link_of(run, entity, side, key),
        buried=graves.dig,
    )


def _key_of(run: Run, entity: Entity, link_id: str, side: Side) -> str | None:
    for batch in run.ledger.link_rows(entity, [link_id], [f"{side}_key"]):
        for row in batch:
            return str(row[0])
    return None


def _link_of(run: Run, entity: Entity, side: Side, key: str) -> str | None:
    table = schema.link
    mine = (table.c.pair == run.ledger.pair, table.c.entity == entity.value, table.c[f"{side}_key"] == key)
    with run.ledger.engine.connect() as connection:
        return connection.execute(sa.select(table.c.link_id).where(*mine)).scalar_one_or_none()


def _children(run: Run, side: Side, contact: str) -> Iterator[tuple[Entity, str]]:
    """(entity, key) of what hangs on a contact now. Raises ConnectorError where that cannot be read whole."""
    for entity in (Entity.TASK, Entity.NOTE):
        if entity not in run.mapping:
            continue
        shape = run.connectors[side].shape(entity)
        for part in run.connectors[side].extract(entity, Scope(parents=(contact,))):
            if isinstance(part, Page):
                yield from ((entity, key) for key in _keys(part, shape))
            elif not part.complete:
                raise ConnectorError(
                    f"the {entity}s of contact {contact} in {side.label} could not be read: {part.why_incomplete}",
                    remedy="run the undo again when the side answers",
                )


def _keys(page: Page, shape: Shape) -> Iterator[str]:
    for text in page.lines.splitlines():
        members = json.loads(text)
        if str(_first(members, shape.deleted) or "").lower() in ("", "false", "0"):
            yield str(_first(members, shape.key))


def _first(members: Any, paths: Sequence[JsonPath]) -> Any:
    for path in paths:
        value = members
        for step in path:
            value = value.get(step) if isinstance(value, dict) and isinstance(step, str) else None
        if value is not None:
            return value
    return None


@dataclass
class _Graves:
    """The archives of the run and of earlier ones, opened when they are asked: what hung on contacts that were deleted."""

    run: Run
    of: str
    held: ExitStack
    opened: dict[str, Archived | None] = field(default_factory=dict)

    def dig(self, side: Side, entity: Entity, contact: str) -> list[Buried] | None:
        """The archived tasks or notes of a contact, as the newest run up to the one in question read them."""
        for name in self._names():
            archived = self._open(name)
            found = archived.buried(self.run.mapping, side, entity, contact) if archived else None
            if found is not None:
                return found
        return None

    def _names(self) -> list[str]:
        known = [row.run_id for row in runs.runs(self.run.ledger, limit=10 * _FURTHER_BACK)]
        at = known.index(self.of) if self.of in known else 0
        return known[at : at + _FURTHER_BACK]

    def _open(self, name: str) -> Archived | None:
        if name not in self.opened:
            folder = brought(self.run.pair, self.run.folder.parent / name)
            whole = (folder / MANIFEST).exists()
            mapping = None if whole else _mapping_then(self.run, folder)
            there = whole or (mapping is not None and (folder / "stage.duckdb").exists())
            self.opened[name] = self.held.enter_context(Archived(folder, mapping=mapping)) if there else None
        return self.opened[name]


def _mapping_then(run: Run, folder: Path) -> Mapping | None:
    """The mapping of a run that was killed before it wrote its archive, where it is still the pair's."""
    try:
        same = planfile.read(folder / run.plan_path.name).config_digest == run.pair.config_digest
    except StateError:
        return None
    return run.mapping if same else None


# the gate, and afterwards -------------------------------------------------------------------------------------------


def check(run: Run, plan: Plan) -> None:
    """The same limits as for any plan. Raises Refused with every one that it goes over."""
    state, table = run.ledger.state(), schema.link
    counted = sa.select(table.c.entity, sa.func.count()).where(table.c.pair == run.ledger.pair).group_by(table.c.entity)
    with run.ledger.engine.connect() as connection:
        links = {entity: int(count) for entity, count in connection.execute(counted)}
    known = {Side.APP: state.app_identity, Side.GHL: state.ghl_identity}
    facts = Facts(
        snapshots={},
        links={mapped.entity: links.get(mapped.entity.value, 0) for mapped in run.mapping.entities},
        changed_identity=[side for side, name in known.items() if name not in (None, run.described[side].identity)],
    )
    found = breaches(plan, facts, run.limits, allowed=run.options.allowed)
    if found:
        raise Refused(
            "nothing was written:\n  " + "\n  ".join(str(breach) for breach in found),
            remedy="look at the plan; allow what is right by name",
            code="LIMIT",
        )


def settle_undo(run: Run) -> settle.Settlement:
    """Advance the ledger to what the undo wrote, in one transaction; see docs/adr on what the next run makes of it."""
    with run.ledger.transaction() as connection:
        linked, forgotten = takeback.settle_journal(
            run.ledger, connection, run.journal, run_id=run.run_id, at=run.clock()
        )
        state = run.ledger.state()
        run.ledger.advance(connection, replace(state, generation=state.generation + 1))
        doubtful = any(run.journal.in_doubt())
        runs.mark_within(connection, run.run_id, state="applying" if doubtful else "settled", ended_at=run.clock())
    run.settlement = settle.Settlement(state.generation + 1, 0, linked, forgotten)
    return run.settlement


# telling ------------------------------------------------------------------------------------------------------------


def _keep_notes(folder: Path, made: Undo) -> None:
    left = [{**asdict(each), "entity": each.entity.value, "side": each.side.value} for each in made.left]
    text = json.dumps({"of": made.run_id, "left": left, "lost": made.lost}, ensure_ascii=False, indent=1)
    (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def told(run: Run, about: About) -> dict[str, Any]:
    """The report of an undo."""
    outcomes: dict[str, Outcome] = {outcome.op_id: outcome for _, outcome in run.journal.entries()}
    entries = ((operation, outcomes.get(operation.op_id)) for operation in steps.operations(run))
    notes = json.loads((run.folder / NOTES).read_text(encoding="utf-8"))
    return undone_document(run.stage, run.mapping, about, entries, notes, labels=_labels(run, notes["of"]))


def _labels(run: Run, of: str) -> dict[tuple[str, str, str | None], str]:
    """What the report of the run that is taken back calls its records."""
    try:
        changes = json.loads((brought(run.pair, run.folder.parent / of) / "report.json").read_text(encoding="utf-8"))[
            "changes"
        ]
    except (OSError, ValueError):
        return {}
    return {(each["entity"], side, each[f"{side}_key"]): each["label"] for each in changes for side in ("app", "ghl")}
