"""From two loaded sides to a draft.

Link, diff, look again where a bulk read is no proof, judge, draft; parents first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from functools import partial
from typing import Any

from reconcile.baseline import differences
from reconcile.baseline.revisions import renew_baseline
from reconcile.compare import absence, erased, left_out, restored, reused_keys
from reconcile.compare.absence import (
    ASKED_BEFORE,
    judge_absences,
    note_unproven,
    unconfirmed,
)
from reconcile.compare.diff import doubtful, elsewhere, make_delta
from reconcile.compare.flapping import hold
from reconcile.compare.verdicts import judge, keep_consents, keep_together, load_decisions
from reconcile.errors import Blocked, ConnectorError, Expired, Malformed, Unnamed
from reconcile.ledger.ledger import Decision, Ledger
from reconcile.link.link import find_moved, load_baseline, release, try_again
from reconcile.link.match import link_anew, make_owner, match_apart, match_children
from reconcile.link.merges import certain, find_survivors
from reconcile.link.suggestions import remember
from reconcile.model import Entity, Side
from reconcile.patience import Patience, unread
from reconcile.plan import moved_children, references, refusals
from reconcile.plan.draft import begin, draft, extend_owner, number
from reconcile.ports import Connector, Record
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping

_ABOUT_DELETIONS = frozenset({"delete", "restore", "relink", "keep"})


def link(
    stage: Stage,
    ledger: Ledger,
    mapping: Mapping,
    *,
    whole: bool = True,
    decisions: list[Decision] | None = None,
    baseline: Callable[[EntityMap], None] | None = None,
) -> None:
    """Find what moved, with its baseline, and propose links for rows that have none.

    It goes entity by entity.

    `decisions` are those that count in this run; by default all that people made. Where not all of
    both sides was read (`whole`), what people decided about deletions waits for a run that can see
    that something is gone. `baseline` puts another baseline in place of the ledger's: who is
    another person by now is told by it, and what hangs on whom by that.
    """
    if decisions is None:
        decisions = ledger.decisions()
    if not whole:
        decisions = [one for one in decisions if one.choice not in _ABOUT_DELETIONS]
    state = ledger.state()
    # The stored digests name the rows of this mapping, made by this version of DuckDB's hash; with
    # any other every link is compared.
    same_rows = state.mapping_digest == mapping.digest and state.digest_kind == stage.digest_kind
    trusted = same_rows and state.codecs == mapping.codecs
    stage.run(f"CREATE OR REPLACE TABLE trusted AS SELECT {trusted} AS trusted")
    load_decisions(stage, decisions)
    _load_open_questions(stage, ledger)
    for mapped in mapping.entities:
        differences.ready(stage, mapped)
        # Links that are let go first: `find_moved` and matching see their rows as free.
        release(stage, mapped)
        moved_children.release(stage, mapped)
        reused_keys.release(stage, mapped)
        # Nobody edited those whose values name what is taken apart: no digest tells of it.
        parted = references.parted(stage, mapped)
        find_moved(stage, mapped, trusted=trusted and not parted)
        match = match_children if mapped.entity.parent else match_apart
        # Neither reads what the other makes: one waits for DuckDB, the other for the ledger.
        stage.together(
            partial(match, mapped=mapped), partial(load_baseline, ledger=ledger, mapped=mapped)
        )
        if mapped.entity.parent:
            link_anew(stage, mapped)
        if parted:
            references.rename_parted(stage, mapped)
        renew_baseline(stage, mapped, same_rows=same_rows)
        if baseline:
            baseline(mapped)
        try_again(stage, mapped)
        # Before the kinds whose values name this one are read: they are compared by these links.
        if not mapped.entity.parent:
            reused_keys.find(stage, mapped)
        references.renew(stage, mapping, mapped)
        if mapped.entity.children:
            left_out.find(stage, mapped)
            remember(stage, ledger, mapped)
            # What hangs on a contact is matched next, among the children of those that are linked.
            make_owner(stage, mapped.entity)


def _load_open_questions(stage: Stage, ledger: Ledger) -> None:
    """Create `in_question`: what is asked about already, and two of the reasons for it."""
    rows = []
    for question in ledger.holds():
        body = json.loads(str(question.body))
        reasons = (restored.is_asked_for(body["because"]), _doubted(body))
        rows.append((body["subject"], question.hold_id, question.values_digest, *reasons))
    columns = [
        ("subject", "VARCHAR"),
        ("hold_id", "VARCHAR"),
        ("values_digest", "VARCHAR"),
        ("went_back", "BOOLEAN"),
        ("doubted", "BOOLEAN"),
    ]
    stage.fill("in_question", columns, [rows])


def _doubted(question: Map[str, Any]) -> bool:
    """Whether a question was asked because what is deleted had been merged, or changed."""
    # The ledger keeps a question's words, and not its reason by name.
    return any(words in question["because"] for words in (", changed in ", "merged?", ASKED_BEFORE))


def diff(stage: Stage, mapping: Mapping, *, whole: bool = True) -> None:
    """Compare what moved field by field, and judge what lost an end.

    From a part of both sides no absence is concluded.
    """
    for mapped in mapping.entities:
        if not mapped.entity.parent:
            find_survivors(stage, mapped, children=mapping.children(mapped.entity))

    def absences(stage: Stage) -> None:
        for mapped in mapping.entities:  # parents first: what hangs on one follows it
            children = mapping.children(mapped.entity)
            referring = mapping.referring(mapped.entity)
            judge_absences(stage, mapped, children=children, referring=referring)

    stage.together(absences, *(partial(make_delta, mapped=mapped) for mapped in mapping.entities))
    reused_keys.leave(stage, mapping)
    restored.find(stage, mapping)
    if not whole:
        for mapped in mapping.entities:
            absence.leave(stage, mapped)


def look_again(
    stage: Stage,
    mapping: Mapping,
    connectors: Map[Side, Connector],
    *,
    lags: Map[Side, float],
    most: int,
) -> int:
    """Read by key what a bulk read cannot prove; returns how many records.

    That is our own late writes, and records that seem to be gone. `lags` is by how many seconds
    each side's bulk reads may trail a write.

    Where it is not 0, the stage shows them as they are now, and link and diff have to be run again.
    """
    looked = 0
    for side, connector in connectors.items():
        reader = _Reader(connector)
        for mapped in mapping.entities:
            looked += _look_at(stage, mapped, side, reader, lag=lags[side], most=most)
    return looked


def _look_at(
    stage: Stage, mapped: EntityMap, side: Side, reader: _Reader, *, lag: float, most: int
) -> int:
    """The same for one entity of one side."""
    entity = mapped.entity
    late = dict(doubtful(stage, mapped, side, lag_seconds=lag))
    sought = late | dict(unconfirmed(stage, mapped, side, most=most))
    shown: list[tuple[str, Record | None]] = []
    lost: dict[str, ConnectorError] = {}
    for key, parent in sorted(sought.items()):
        answer = reader.read(entity, key, parent)
        if isinstance(answer, ConnectorError):
            lost[key] = answer
        else:
            shown.append((key, answer))
    # What the bulk read shows of a late one is older than our own write: it counts as not read at
    # all.
    shown += [(key, None) for key in lost if key in late]
    both = elsewhere(stage, mapped, side, most=most)
    shown += _still_there(entity, both, reader)
    if shown:
        stage.refresh(mapped, side, shown)
    note_unproven(stage, entity, side, lost)
    reasons = [unread(entity, key, error) for key, error in lost.items()]
    stage.set_aside(mapped, side, reasons)
    return len(sought) + len(both)


def _still_there(
    entity: Entity, moved: Sequence[tuple[str, str | None]], reader: _Reader
) -> list[tuple[str, Record | None]]:
    """Those that still hang on the former contact, as they are there: they have not moved.

    A task of several contacts is read once for each, and may be shown under any of them.
    """
    there: list[tuple[str, Record | None]] = []
    for key, parent in moved:
        record = reader.read(entity, key, parent)
        if isinstance(record, Record) and record.parent == parent:
            there.append((key, record))
    return there


class _Reader:
    """Reads single records of one side.

    One that cannot be read is an answer, too, unless the side itself fails.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._patience = Patience()

    def read(self, entity: Entity, key: str, parent: str | None) -> Record | ConnectorError | None:
        """The record, None where it is gone; or the error that proves neither."""
        try:
            record = self._connector.read(entity, key, parent)
        except (Unnamed, Malformed) as error:
            return error
        except ConnectorError as error:
            self._patience.spend(error)
            if isinstance(error, (Expired, Blocked)):
                # It raises where it is not about this record, but about all.
                self._connector.describe()
            return error
        self._patience.renew()
        return record


def merges(stage: Stage, mapping: Mapping, *, at: str) -> list[Decision]:
    """What the pair file answers of this run's questions about merges.

    Link and diff have to be run again with it.
    """
    return [answer for mapped in mapping.entities for answer in certain(stage, mapped, at=at)]


def make_draft(stage: Stage, mapping: Mapping, *, flapping: int = 0) -> None:
    """Judge every difference and draft all operations and holds, in order.

    With `flapping`, what `swing` says was taken back in as many runs is asked about.
    """
    stage.let_go()
    begin(stage)
    restored.begin(stage)
    for mapped in mapping.entities:
        judge(stage, mapped)
        # Each turns verdicts into questions, and leaves alone what one before it asks about.
        restored.ask(stage, mapped)
        hold(stage, mapped, times=flapping)
        restored.ask_about_creates(stage, mapped)
        erased.ask_about_creates(stage, mapped)
        refusals.ask(stage, mapped)
        keep_together(stage, mapped)
        # Last of the verdicts: whatever they came to, none of them lifts a no.
        keep_consents(stage, mapped)
        draft(stage, mapped)
        refusals.ask_about_creates(stage, mapped)
        if mapped.entity.children:
            extend_owner(stage, mapped.entity)
    number(stage)
