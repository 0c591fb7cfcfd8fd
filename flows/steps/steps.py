"""The steps of every job, in order: plain functions of a Run, the same without Prefect."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.engine import Connection

from flows.clock import moment
from flows.run import BY_FLAG, Run
from flows.state import imprints
from flows.state.stores import links_folder
from flows.steps import counting, ends, lineage, marks
from flows.steps.journals import settle_journal, source_of
from reconcile import pipeline
from reconcile.apply import settle, verify
from reconcile.apply.apply import apply_chunk
from reconcile.apply.recover import resolve
from reconcile.apply.settle_operations import settle_operations
from reconcile.apply.vacant import vacant
from reconcile.baseline import differences
from reconcile.baseline.standing import doubt_unknown, load_standing
from reconcile.compare import doubts, erased, flapping, note_sweep, restored
from reconcile.compare.canary import check as check_bulk
from reconcile.entities import OWNER, SWEPT
from reconcile.errors import ConnectorError, Refused, StalePlan, Stopped
from reconcile.ledger import hints, runs
from reconcile.ledger.journal import Journal
from reconcile.link import focused, spans
from reconcile.link.link import keep_base, load_base, load_graves
from reconcile.model import Entity, Operation, Outcome, Side, Snapshot, Status
from reconcile.plan import draft, planfile, refusals, selection
from reconcile.plan.limits import Facts, breaches
from reconcile.plan.plan import LEDGER_ONLY, Group, Plan, estimate
from reconcile.plan.unique_values import note_never_blank
from reconcile.ports import Page, Proof, Scope
from reconcile.report.along import alongs, by_side
from reconcile.stage.spooled import Spooled
from reconcile.undo import marked

log = logging.getLogger("flows.steps.steps")

_SPENT = ("EXHAUSTED", "EXHAUSTED_DAY")

Spool = tuple[Entity, Side, Spooled]
"""One entity of one side, read onto disk."""


def recover(run: Run) -> int:
    """Finish what an interrupted run left: look up what is in doubt, settle what was done.

    Returns how many runs. What stays in doubt, because it cannot be looked at, is looked at again
    by each run, and blocks its own record alone. Raises Refused where the ledger is not the one
    that the pair's store knows, or another pair has the same ends.
    """
    # Before anything is concluded from the ledger, it has to be the one that belongs here.
    lineage.check(run)
    ends.check(run)
    older = doubts.by_run(doubts.standing(run.ledger))
    names = runs.unsettled(run.ledger)
    for name in names:
        _finish(run, Journal(run.ledger, name), state="recovered")
    for name, op_ids in older.items():
        _finish(run, Journal(run.ledger, name, only=op_ids))
    run.course.doubts = tuple(doubts.standing(run.ledger))
    run.course.recovered = tuple(names)
    return len(names)


def _finish(run: Run, journal: Journal, *, state: str = "") -> None:
    """Resolve doubts in a journal, and settle what was done. `state` is the run's from then on."""
    answers = doubts.answers(run.ledger)
    outcomes = resolve(run.desk_for(journal), run.ledger, answers)
    known = any(outcome.status is not Status.UNCERTAIN for outcome in outcomes)
    if state or known:
        settle_journal(run, journal, state=state)
    log.info("recovered", extra={"run": journal.run_id, "in_doubt": len(outcomes)})


def extract(run: Run) -> list[Spool]:
    """Read all of both sides that can be read in bulk onto disk, both sides at once."""
    # It asks both sides who they are, so that one that gives no answer is asked once.
    run.mapping  # noqa: B018
    with ThreadPoolExecutor(max_workers=len(run.connectors)) as sides:
        by_side = sides.map(lambda side: _extract_side(run, side), run.connectors)
        return [spool for spools in by_side for spool in spools]


def _extract_side(run: Run, side: Side) -> list[Spool]:
    return [
        extract_one(run, mapped.entity, side, _scope(run, mapped.entity, side))
        for mapped in run.mapping.entities
        if not (mapped.entity.spec.swept and side is Side.GHL)
    ]


def _scope(run: Run, entity: Entity, side: Side) -> Scope:
    """All of it, but for contacts of GHL that an earlier run read, and that did not change."""
    if entity is OWNER and side is Side.GHL and run.course.former is not None:
        return Scope(since=run.course.former.since)
    return Scope()


def extract_one(run: Run, entity: Entity, side: Side, scope: Scope) -> Spool:
    """Read an entity of a side, or a part of it, onto disk."""
    began = run.clock()
    pages = _while_it_may(run, run.connectors[side].extract(entity, scope))
    pages = counting.counted(run, pages, entity, side, scope)
    spooled = run.stage.spool(entity, side, pages, taken_at=began)
    return entity, side, spooled


def _while_it_may(run: Run, pages: Iterator[Page | Proof]) -> Iterator[Page | Proof]:
    """The pages of a read. Raises Stopped at the run's end: from a part no plan can be made."""
    for page in pages:
        run.ending.check()
        yield page
    run.ending.check()


def stage(run: Run, spools: Sequence[Spool]) -> None:
    """Load what was read into DuckDB, beside the links and digests that the ledger remembers."""
    for spool in spools:
        stage_one(run, spool)
    for mapped in run.mapping.entities:
        load_base(run.stage, run.ledger, mapped.entity, folder=_kept(run))
        differences.load(run.stage, run.ledger, mapped)
    for entity, side, spooled in spools:
        if spooled.proof.span is not None:
            spans.cover(run.stage, run.ledger, run.mapping[entity], side, spooled.proof.span)
    load_standing(run.stage, run.ledger, run.mapping)
    doubt_unknown(run.stage, run.mapping)
    load_graves(run.stage, run.ledger, since=_before(run.started_at, hours=1))


def _kept(run: Run) -> Path:
    """Where copies of the links lie between runs."""
    return links_folder(run.folder)


def stage_one(run: Run, spool: Spool) -> None:
    """Load what was read of an entity of a side, in place of what is staged."""
    entity, side, spooled = spool
    snapshot = run.stage.load(
        run.mapping[entity], side, run.connectors[side].shape(entity), spooled
    )
    log.info(
        "staged",
        extra={
            "entity": entity,
            "side": side,
            "rows": snapshot.rows,
            "complete": snapshot.complete,
        },
    )


def _before(at: str, **earlier: float) -> str:
    """An earlier moment: by an hour is well before any index could still lag."""
    return moment(datetime.fromisoformat(at) - timedelta(**earlier))


def sweep_notes(run: Run) -> None:
    """Read the notes that the budget allows, pressing ones first: GHL has no bulk read of them."""
    for entity in SWEPT:
        if entity in run.mapping:
            budget = getattr(run.pair.ghl, entity.budget)
            due = note_sweep.choose(run.stage, run.ledger, run.mapping[entity], budget=budget)
            stage_one(run, extract_one(run, entity, Side.GHL, Scope(parents=tuple(due))))


def link(run: Run) -> None:
    """Find which links moved, and propose links for records that have none."""
    pipeline.link(run.stage, run.ledger, run.mapping, whole=run.whole)


def canary(run: Run) -> None:
    """Read a few records by key. Raises Refused where a bulk read does not carry a mapped field."""
    looked = 0
    for mapped in run.mapping.entities:
        for side, connector in run.connectors.items():
            endpoint = run.described[side].bulk.get(mapped.entity)
            if not endpoint:
                continue
            read = partial(connector.read, mapped.entity)
            records = check_bulk(run.stage, mapped, side, read, endpoint=endpoint)
            looked += len(records)
    if looked:  # what was read by key stands in place of what the index showed
        link(run)


def diff(run: Run) -> None:
    """Compare three ways; look again, by key, at what a lagging index cannot prove."""
    pipeline.diff(run.stage, run.mapping, whole=run.whole)
    run.course.looked_again = pipeline.look_again(
        run.stage, run.mapping, run.connectors, lags=run.lags, most=run.limits.max_confirm
    )
    if run.course.looked_again:
        link(run)
        pipeline.diff(run.stage, run.mapping, whole=run.whole)
    if run.whole:
        _follow_rules(run)


def _follow_rules(run: Run) -> None:
    """Answer what needs no person.

    That is the caller's word on a side that went back, and the pair file's on merges.
    """
    sides = [side for side in Side if f"restore-{side}" in run.options.allowed]
    by = BY_FLAG + " ".join(f"--allow restore-{side}" for side in sides)
    answers = restored.answers(run.stage, run.mapping, sides, by=by, at=run.clock())
    answers += pipeline.merges(run.stage, run.mapping, at=run.started_at)
    # Found in this pass alone where no other came after it.
    unseen = not run.course.looked_again and run.stage.some("left_behind")
    if answers or unseen:
        pipeline.link(
            run.stage, run.ledger, run.mapping, decisions=[*run.ledger.decisions(), *answers]
        )
        pipeline.diff(run.stage, run.mapping)


def make_plan(run: Run) -> Plan:
    """Judge every difference and write the plan file."""
    times = run.limits.flapping
    since = _before(run.started_at, days=flapping.DAYS)
    flapping.find(run.stage, run.ledger, run.mapping, times=times, since=since)
    restored.find_edited(run.stage, run.ledger, run.mapping, since=since)
    restored.find_unanswered(run.stage, run.mapping)
    restored.find_parted(run.stage, run.ledger, run.mapping)
    erased.load(run.stage, run.ledger)
    note_never_blank(run.stage, run.mapping, run.described)
    pipeline.make_draft(run.stage, run.mapping, flapping=times)
    doubts.ask(run.stage, run.course.doubts)
    counted = run.stage.rows("SELECT kind, count(*) FROM hold GROUP BY kind ORDER BY kind")
    snapshots = {
        f"{entity}.{side}": snapshot.fingerprint
        for (entity, side), snapshot in sorted(run.stage.snapshots.items())
    }
    return keep_plan(
        run,
        snapshots,
        draft.groups(run.stage),
        draft.lines(run.stage),
        {str(kind): int(str(count)) for kind, count in counted},
    )


def keep_plan(
    run: Run,
    snapshots: Mapping[str, str],
    groups: Sequence[Group],
    lines: Iterable[str],
    holds: Mapping[str, int],
) -> Plan:
    """Write the plan file, with its sources and its cost, and note in the ledger that it waits."""
    recheck = run.pair.apply.recheck
    head = Plan(
        run_id=run.run_id,
        pair=run.pair.name,
        generation=run.ledger.state().generation,
        config_digest=run.pair.config_digest,
        snapshots=snapshots,
        groups=tuple(groups),
        holds=holds,
        estimates={
            side: estimate(groups, side, run.described[side], connector.usage(), recheck=recheck)
            for side, connector in run.connectors.items()
        },
    )
    run.course.plan = planfile.write(run.plan_path, head, lines)
    generation, digest = head.generation, run.course.plan.digest
    runs.mark(run.ledger, run.run_id, state="planned", plan_digest=digest, generation=generation)
    return run.course.plan


def check(run: Run, plan: Plan) -> None:
    """The last gate: raises Refused with every limit that is gone over, before anything is written.

    Raises StalePlan where the run that made the plan was killed before it could put what it
    concluded into its file.
    """
    writable(run, plan)
    if not run.stage.has("planned"):
        raise StalePlan(
            "the run that made the plan did not end", remedy="make the plan again and look at it"
        )
    within_limits(run, plan, _facts(run))


def within_limits(run: Run, plan: Plan, facts: Facts) -> None:
    """Raises Refused with every limit that the plan goes over; the run's report lists them, too."""
    over = breaches(plan, facts, run.limits, allowed=run.options.allowed)
    run.course.breaches = tuple(over)
    if not over:
        return
    raise Refused(
        "nothing was written:\n  " + "\n  ".join(str(breach) for breach in over),
        remedy="look at the plan; change what is wrong, or allow what is right by name",
        code="LIMIT",
        limits=[asdict(breach) for breach in over],
    )


def writable(run: Run, plan: Plan) -> None:
    """Raises Refused for a side that takes no writes, before the other one was written."""
    for group in plan.groups:
        why = run.described[group.side].read_only
        if why and group.kind not in LEDGER_ONLY:
            raise Refused(
                f"nothing was written: {group.side.label} takes no writes, as {why}",
                remedy=(
                    "let the pair write to the primary, or map its fields one way, from that side"
                ),
                code="DB_READ_ONLY",
            )


def changed_identity(run: Run) -> list[Side]:
    """The sides that are not the ones that the ledger knows."""
    state = run.ledger.state()
    known = {Side.APP: state.app_identity, Side.GHL: state.ghl_identity}
    return [
        side for side, name in known.items() if name not in (None, run.described[side].identity)
    ]


def _facts(run: Run) -> Facts:
    tagged = "SELECT side, count(DISTINCT link_id) FROM planned WHERE entity = 'tag' GROUP BY side"
    return Facts(
        snapshots=run.stage.snapshots,
        links={
            m.entity: run.stage.count(f"SELECT count(*) FROM base_{m.entity}")
            for m in run.mapping.entities
        },
        changed_identity=changed_identity(run),
        undone=marked.missing(run.stage, run.ledger),
        rewound=restored.counts(run.stage, run.mapping),
        along=by_side(alongs(run.stage, run.mapping)),
        tagged={Side(str(side)): int(str(count)) for side, count in run.stage.rows(tagged)},
    )


def begin_apply(run: Run) -> None:
    """The run may have written from here on. Raises Refused if another pair writes there, too."""
    ends.claim(run)
    imprints.drop(run.ledger, run.run_id)
    runs.mark(run.ledger, run.run_id, state="applying")
    lineage.mark(run)
    run.desk.vacant = vacant(run.stage, run.mapping)
    run.stage.rest()


def apply(run: Run, operations: Sequence[Operation]) -> list[Outcome]:
    """Carry out one chunk. A side that fails or is spent ends the run; what was done is settled."""
    try:
        outcomes = apply_chunk(run.desk, operations)
    except ConnectorError as error:
        run.halt(error)
        return []
    if any(outcome.code == Stopped.code for outcome in outcomes):
        must_stop(run)
    if any(outcome.code in _SPENT for outcome in outcomes):
        run.course.stopped = (
            "the day's quota is used up to its reserve; the rest is planned again on the next run"
        )
    return outcomes


def must_stop(run: Run) -> bool:
    """Whether the run has to end after the chunk it has just done."""
    course = run.course
    if run.lost.is_set() and not course.stopped:
        course.stopped = "the lease was lost: another run may have taken the pair over"
    if run.ending.over and not course.stopped:
        course.stopped = run.ending.reason
    return bool(course.stopped)


def resolve_doubts(run: Run) -> None:
    """Look up what may or may not have happened, before anything is settled."""
    try:
        with run.ending.grace():
            resolve(run.desk, run.ledger)
    except ConnectorError as error:
        run.halt(error)
    doubts.ask(run.stage, doubts.of_run(run.ledger, run.run_id))


def _approved(run: Run) -> set[str] | None:
    return selection.approved(planfile.operations(run.plan_path), run.options.only)


def _followed(run: Run, told_by: Entity) -> list[str]:
    """GHL contacts with no earlier hint open: their notes were read, or they without notes."""
    covered = {str(key) for (key,) in run.stage.rows(f"SELECT key FROM cover_{told_by}_ghl")}
    if told_by.spec.swept:
        return sorted(covered)
    everything = _whole(run.stage.snapshots[told_by, Side.GHL])
    return [key for key in hints.hinted(run.ledger) if everything or key in covered]


def _whole(snapshot: Snapshot) -> bool:
    return snapshot.complete and not snapshot.partial


def settle_run(run: Run) -> settle.Settlement:
    """Advance the ledger to what is known, in one transaction."""
    ledger, stage = run.ledger, run.stage
    advanced = linked = 0
    settle.load_planned_links(stage, run.plan_path, approved=_approved(run))
    with ledger.transaction() as connection:
        forgotten = settle.settle_planned_links(
            stage, ledger, connection, run_id=run.run_id, at=run.clock()
        )
        for mapped in run.mapping.entities:
            more, new = settle.advance_from_snapshots(
                stage, ledger, connection, mapped, run_id=run.run_id
            )
            advanced, linked = advanced + more, linked + new
        source = source_of(run, run.run_id)
        for mapped in run.mapping.entities:
            differences.settle(stage, ledger, connection, mapped, source)
        refusals.note_holders(stage, ledger, connection)
        codecs = {mapped.entity: mapped.codecs for mapped in run.mapping.entities}
        stage.rest()
        run.journal.links_settled(connection)
        created, gone = settle_operations(ledger, connection, run.journal, source, codecs)
        refusals.remember(ledger, connection, run.journal, run.mapping, source)
        _settle_questions(run, connection)
        told_by = next((entity for entity in SWEPT if entity in run.mapping), OWNER)
        read_at = stage.snapshots[told_by, Side.GHL].taken_at
        hints.checked(ledger, connection, _followed(run, told_by), at=read_at)
        marks.move(run, connection)
        state = marks.advanced(run, connection)
        ledger.advance(connection, state)
        runs.mark_within(connection, run.run_id, state="settled", ended_at=run.clock())
    lineage.mark(run)
    if not run.sought:
        keep_base(stage, ledger, [mapped.entity for mapped in run.mapping.entities], _kept(run))
    run.course.settlement = settle.Settlement(
        state.generation, advanced, linked + created, forgotten + gone
    )
    return run.course.settlement


def _settle_questions(run: Run, connection: Connection) -> None:
    """Put this run's questions in place of the earlier ones, and spend the answers it followed.

    A run that looked at a part answers for that part: what is out of its sight stays asked.
    """
    ledger, stage = run.ledger, run.stage
    within = None
    if run.sought:
        within = focused.subjects(stage, run.mapping)
    else:
        for mapped in run.mapping.entities:
            if all(_whole(stage.snapshots[mapped.entity, side]) for side in Side):
                needed = draft.in_question(stage, mapped)
                runs.spend_answers(ledger, connection, [mapped.entity.value], needed=needed)
    runs.put_holds(
        ledger,
        connection,
        draft.holds(stage),
        run_id=run.run_id,
        at=run.clock(),
        within=within,
        unread=draft.unread(stage, run.mapping, ledger.holds()),
    )


def read_back(run: Run) -> None:
    """Read every written record again, by key."""
    if run.verify_mode == "none" or must_stop(run):
        return
    try:
        run.course.residuals = list(verify.read_back(run.desk, run.journal.entries()))
    except ConnectorError as error:
        run.halt(error, what="not all was read back: ")


def take_over(run: Run, digest: str) -> Plan:
    """Take an approved plan as it was shown, or the figures of the part of it that was approved.

    Raises StalePlan where it no longer fits the ledger, the pair file or its digest, and Refused
    where such a part is in the plan nowhere.
    """
    plan = planfile.read(run.plan_path)
    if planfile.digest(run.plan_path) != digest:
        raise StalePlan("the plan file was changed after it was made", remedy="make the plan again")
    if plan.generation != run.ledger.state().generation:
        raise StalePlan(
            "another run settled since the plan was made",
            remedy="make the plan again and look at it",
        )
    if plan.config_digest != run.pair.config_digest:
        raise StalePlan(
            "the pair file was changed since the plan was made",
            remedy="make the plan again and look at it",
        )
    run.course.plan = plan
    run.course.approved = digest
    return selection.narrowed(plan, lambda: operations(run), run.options.only)


def operations(run: Run) -> Iterator[Operation]:
    """The plan's operations, streamed from its file: what was shown, or the approved part of it."""
    return selection.picked(planfile.operations(run.plan_path), run.options.only)
