"""The cutover report.

Whether everything that had to move is there, counted on both sides, and what is left, with its
reasons.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.outcome.tell import Told
from flows.run import Run
from reconcile.ledger import runs
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.report.page import cutover_page
from reconcile.report.verdict import many as counted
from reconcile.stage.quoting import literal


@dataclass(frozen=True, slots=True)
class Count:
    """One entity: how many records each side has, and how many pairs are linked and how.

    It also counts what was created and what is left.
    """

    entity: str
    app: int
    ghl: int
    linked: int
    created: Mapping[str, int]
    matched: Mapping[str, int]
    left: tuple[tuple[str, str, int], ...]
    held: int


@dataclass(frozen=True, slots=True)
class Cutover:
    """The whole report.

    `planned` is how many writes the last reading of both sides still asked for, `done` how many of
    them were carried out.
    """

    run_id: str
    pair: str
    counts: tuple[Count, ...]
    planned: int
    done: int
    residuals: int
    clean: bool
    legs: tuple[str, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Both sides, read anew, ask for nothing more; everything is accounted for."""
        return not self.planned and not self.residuals and self.clean


def cutover(run: Run, result: Told) -> Cutover:
    """Count a migration as it stands after this leg, and write the report beside the leg's own."""
    created, legs = _created(run.ledger)
    report = Cutover(
        run_id=run.run_id,
        pair=run.pair.name,
        counts=tuple(_count(run, mapped.entity, created) for mapped in run.mapping.entities),
        planned=run.course.plan.writes if run.course.plan else 0,
        done=run.journal.summary().get(Status.DONE, 0),
        residuals=len(run.course.residuals),
        clean=bool(result.document["statement"]["clean"]),
        legs=tuple(legs),
    )
    paths = {kind: run.folder / f"cutover.{kind}" for kind in ("json", "md", "html")}
    plain = asdict(report) | {"complete": report.complete, "paths": None}
    paths["json"].write_text(json.dumps(plain, indent=1, ensure_ascii=False), encoding="utf-8")
    paths["md"].write_text(markdown(report), encoding="utf-8")
    html = cutover_page(plain, complete=report.complete)
    paths["html"].write_text(html, encoding="utf-8")
    return Cutover(
        **{name: getattr(report, name) for name in report.__dataclass_fields__} | {"paths": paths}
    )


def _created(ledger: Ledger) -> tuple[Counter[tuple[Entity, Side]], list[str]]:
    """Records that all legs created, by entity and side, from their journals; and the legs."""
    created: Counter[tuple[Entity, Side]] = Counter()
    oldest_first = reversed(runs.runs(ledger, limit=10_000))
    legs = [row.run_id for row in oldest_first if row.job == "migrate"]
    for leg in legs:
        for operation, outcome in Journal(ledger, leg).entries():
            if _made(operation, outcome):
                created[operation.entity, operation.side] += 1
    return created, legs


def _made(operation: Operation, outcome: Outcome) -> bool:
    return operation.kind is OpKind.CREATE and outcome.status is Status.DONE


def _count(run: Run, entity: Entity, created: Counter[tuple[Entity, Side]]) -> Count:
    stage = run.stage
    now = {side: _rows(run, entity, side) for side in Side}
    passed = stage.rows(
        "SELECT side || ': ' || class, because, count(*) FROM passed "
        f"WHERE entity = {literal(entity)} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    )
    how: Counter[str] = Counter()
    for batch in run.ledger.links(entity, ["how"]):
        how.update(str(row[0]).removeprefix("the two records have the same ") for row in batch)
    return Count(
        entity=entity.value,
        app=now[Side.APP],
        ghl=now[Side.GHL],
        linked=how.total(),
        created={side.value: created[entity, side] for side in Side if created[entity, side]},
        matched={
            name: count for name, count in sorted(how.items()) if name != "created by this job"
        },
        left=tuple((str(what), str(because), int(str(count))) for what, because, count in passed),
        held=stage.count(f"SELECT count(*) FROM hold WHERE entity = {literal(entity)}"),
    )


def _rows(run: Run, entity: Entity, side: Side) -> int:
    """Records on a side: those that were read, and those that this leg made."""
    read = run.stage.count(f"SELECT count(*) FROM raw_{entity}_{side} WHERE NOT deleted")
    created = sum(
        o.entity is entity and o.side is side and _made(o, outcome)
        for o, outcome in run.journal.entries()
    )
    return read + created


def markdown(report: Cutover) -> str:
    """The report for people."""
    return "\n".join(_lines(report)) + "\n"


def headline(report: Cutover) -> str:
    """What all runs of the migration came to, in a line."""
    sides = {
        side: sum(count.created.get(side.value, 0) for count in report.counts) for side in Side
    }
    creations = [
        f"{counted(number, 'record')} created in {side.label}"
        for side, number in sides.items()
        if number
    ]
    linked = sum(sum(count.matched.values()) for count in report.counts)
    parts = [*creations, *([f"{counted(linked, 'record')} linked"] if linked else [])]
    state = "Migration complete" if report.complete else "The migration goes on"
    return (
        f"{state}: {', '.join(parts) or 'nothing to move'}, in {counted(len(report.legs), 'run')}"
    )


def _lines(report: Cutover) -> Iterator[str]:
    yield f"# Cutover report: {report.pair}"
    yield ""
    if report.complete:
        yield (
            f"**Complete.** Both sides were read anew after {len(report.legs)} runs; "
            "nothing is left to be done."
        )
    else:
        yield (
            f"**Not complete.** Of {report.planned:,} writes that were due, "
            f"the last run carried out {report.done:,}."
        )
    yield ""
    yield "| | in the app | in GHL | linked | created in the app | created in GHL | held |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for count in report.counts:
        created = (count.created.get("app", 0), count.created.get("ghl", 0))
        figures = (count.app, count.ghl, count.linked, *created, count.held)
        yield (
            f"| {Entity(count.entity).plural} | "
            + " | ".join(f"{figure:,}" for figure in figures)
            + " |"
        )
    yield ""
    yield "## Matched"
    yield ""
    for count in report.counts:
        for how, many in count.matched.items():
            yield f"- {many:,} {Entity(count.entity).plural} by {how}"
    yield ""
    yield "## Left, and why"
    yield ""
    for count in report.counts:
        for what, because, many in count.left:
            yield f"- {many:,} {Entity(count.entity).plural} ({what}): {because}"
    yield ""
    yield "## Verification"
    yield ""
    yield f"- writes read back that are not as written: {report.residuals:,}"
    yield f"- every record that was read is accounted for: {'yes' if report.clean else 'no'}"
    yield f"- runs: {', '.join(report.legs)}"


def facts(report: Cutover) -> dict[str, Any]:
    """The report as a plain document."""
    if report.paths:
        document: dict[str, Any] = json.loads(report.paths["json"].read_text(encoding="utf-8"))
        return document
    return asdict(report)
