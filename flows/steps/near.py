"""The neighbourhood of new contacts: every record of both sides that one of them may equal.

Who that may be is known from the ledger, from what changed since, and from either side's search.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from flows.run import Run
from flows.steps import marks
from reconcile import pipeline
from reconcile.compare.restored import SLACK
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError, Refused, Stopped
from reconcile.ledger import known
from reconcile.link import focused, neighbourhood
from reconcile.link.neighbourhood import Keys, Near
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Proof, Record, Scope, Write
from reconcile.stage.models import render
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Mapping as PairMapping

log = logging.getLogger("flows.steps.near")

FEW = 100
"""So many contacts are read by key in any case.

Of a large pair, as many as a whole reading has pages of 500.
"""


def load(run: Run, entity: Entity, side: Side, scope: Scope) -> Proof:
    """Stage a part of a side, or all of it, in place of what is staged; returns what it proves."""
    connector = run.connectors[side]
    spooled = run.stage.spool(entity, side, connector.extract(entity, scope), taken_at=run.clock())
    run.stage.load(run.mapping[entity], side, connector.shape(entity), spooled)
    return spooled.proof


def stage(run: Run, keys: Keys, fresh: Keys, *, changed: Collection[Side]) -> None:
    """Stage the contacts `keys` of both sides, with the neighbourhood of the `fresh` ones.

    `changed` are the sides of which all is staged that changed since the watermark.
    """
    near = _found(run, keys, fresh, changed=changed)
    if near is None:
        _read_whole(run, keys, fresh)
        return
    neighbourhood.keep_only(run.stage, near)
    for side in Side:
        neighbourhood.note_looked(run.stage, side, fresh[side])


# read alone ---------------------------------------------------------------------------------------


def _found(run: Run, keys: Keys, fresh: Keys, *, changed: Collection[Side]) -> Near | None:
    """The contacts that a whole reading would have kept, all of them staged.

    None where that is not known without one, or takes as long.
    """
    salt = _salt(run)
    try:
        if not salt or not _stage_changed(run, changed) or _went_back(run):
            return None
        near = _followed(run, keys, fresh, salt)
    except Stopped:
        raise
    except ConnectorError as error:  # of one record, perhaps; a whole reading meets it if not
        log.warning("both sides are read whole", extra={"because": str(error)})
        return None
    if not _dates_tell(run, fresh):
        return None
    return near


def _salt(run: Run) -> str | None:
    """The salt of what the ledger keeps of everybody; None where some may be missing."""
    state = run.ledger.state()
    same = (state.mapping_digest, state.codecs) == (run.mapping.digest, run.mapping.codecs)
    return state.known if same else None


def _stage_changed(run: Run, changed: Collection[Side]) -> bool:
    """Stage what changed since the ledger was last told all; whether that is known."""
    try:
        since = marks.since(run)
    except Refused:
        return False
    for side in run.connectors:
        if side not in changed:
            load(run, OWNER, side, Scope(since=since[side]))
    return all(run.stage.snapshots[OWNER, side].complete for side in run.connectors)


def _dates_tell(run: Run, fresh: Keys) -> bool:
    """Whether dates say who was changed: each has one, and no new contact that of an old one.

    Where an import keeps the dates of where it comes from, others may be as new.
    """
    for side, since in marks.since(run).items():
        if run.stage.some(f"raw_{OWNER}_{side} WHERE modified_at IS NULL"):
            return False
        earlier = focused.earlier(run.stage, side, since)
        new = earlier.intersection(fresh[side])
        with run.ledger.engine.connect() as connection:
            worths = known.of_keys(run.ledger, connection, side, sorted(new))
        if new - dict(worths).keys():
            return False
    return True


def _went_back(run: Run) -> bool:
    """Whether a side may have been put back to a backup: the latest change is not there any more.

    What it shows then has dates from before the watermark. Who is gone says nothing, but where
    three in a row are.
    """
    for side, connector in run.connectors.items():
        latest = run.stage.rows(render("link/latest", entity=OWNER, side=side))
        for key, modified_at in latest:
            record = connector.read(OWNER, str(key))
            if record is None:
                continue
            if _is_as_late(record, str(modified_at)):
                break
            return True
        else:
            return True
    return False


def _is_as_late(record: Record, modified_at: str) -> bool:
    if record.modified_at is None:
        return False
    behind = datetime.fromisoformat(modified_at) - datetime.fromisoformat(record.modified_at)
    return behind <= timedelta(seconds=SLACK)


def _followed(run: Run, keys: Keys, fresh: Keys, salt: str) -> Near | None:
    """Read by key whoever may be near, until nobody is left who was not read."""
    mapped = run.mapping[OWNER]
    most = max(FEW, run.stage.count(f"SELECT count(*) FROM base_{OWNER}") // 500)
    staged: Near = {side: set() for side in Side}
    due: Near = {side: set(keys[side]) for side in Side}
    near: Near = {}
    far: Near = {}
    while any(due.values()):
        if sum(len(staged[side] | due[side]) for side in Side) > most:
            return None
        _read_by_key(run, due, staged, fresh)
        near, worths = neighbourhood.worths(run.stage, mapped, fresh, salt=salt)
        due = {side: near[side] - staged[side] for side in Side}
        for side, key in known.holders(run.ledger, worths):
            due[side] |= {key} - staged[side]
        far = _far_ends(run, near)
        for side in Side:
            due[side] |= far[side] - staged[side]
    return {side: {*keys[side], *near[side], *far[side]} for side in Side}


def _far_ends(run: Run, near: Near) -> Near:
    ends: Near = {}
    for side in Side:
        ends_there = focused.far_ends(run.stage, side, near[side]).values()
        ends[side.other] = {far for far in ends_there if far is not None}
    return ends


def _read_by_key(run: Run, due: Near, staged: Near, fresh: Keys) -> None:
    """Stage these as they are now, and what the other side's search finds for a new one.

    Its index may not show that yet, or it carries a date from before it was changed.
    """
    mapped = run.mapping[OWNER]
    records: dict[Side, dict[str, Record | None]] = {}
    for side, connector in run.connectors.items():
        records[side] = {key: connector.read(OWNER, key) for key in sorted(due[side])}
        staged[side] |= due[side]
    for side in run.connectors:
        new = (records[side][key] for key in sorted(due[side]) if key in fresh[side])
        for write in _creates(mapped, side, new):
            across = {record.key: record for record in run.connectors[side.other].look(write)}
            records[side.other] |= across
            staged[side.other] |= across.keys()
    for side in run.connectors:
        run.stage.refresh(mapped, side, records[side].items())


def _creates(mapped: EntityMap, side: Side, records: Iterable[Record | None]) -> Iterable[Write]:
    """The creates on the other side that these new contacts would lead to.

    They say what to look for there.
    """
    for record in records:
        if record is not None and not record.deleted:
            cells = {
                name: cell for name, cell in mapped.decode(record, side).items() if cell is not None
            }
            fields = mapped.encode(cells, side.other)
            yield Write(f"look-{record.key}", OpKind.CREATE, OWNER, fields=fields)


# read whole ---------------------------------------------------------------------------------------


def _read_whole(run: Run, keys: Keys, fresh: Keys) -> None:
    """Read both sides whole, and keep of it the neighbourhood alone."""
    for side in run.connectors:
        load(run, OWNER, side, Scope())
    read = {side: run.stage.snapshots[OWNER, side] for side in Side}
    whole = {side: snapshot.complete and not snapshot.partial for side, snapshot in read.items()}
    _refresh_late(run, keys, fresh)
    mapped = run.mapping[OWNER]
    pipeline.link(run.stage, run.ledger, PairMapping((mapped,)), whole=False)
    near = neighbourhood.neighbourhood(run.stage, mapped, keys, fresh)
    neighbourhood.keep_only(run.stage, near)
    for side in Side:
        if whole[side.other]:
            neighbourhood.note_looked(run.stage, side, fresh[side])


def _refresh_late(run: Run, keys: Keys, fresh: Keys) -> None:
    """Put what a side shows by key in place of what its index shows.

    What the index does not show yet is found as well.
    """
    mapped = run.mapping[OWNER]
    for side, connector in run.connectors.items():
        if not run.described[side].lag_seconds:
            continue
        records: Mapping[str, Record | None] = {
            key: connector.read(OWNER, key) for key in sorted(keys[side])
        }
        new = (run.connectors[side.other].read(OWNER, key) for key in sorted(fresh[side.other]))
        for write in _creates(mapped, side.other, new):
            records = {**records, **{record.key: record for record in connector.look(write)}}
        run.stage.refresh(mapped, side, records.items())
