"""Nights between two full readings of GHL's contacts.

What changed since an earlier run is read, everybody else is as that run read them, and GHL's own
count says whether that is everybody. Where it does not, or where anything is not sure, all are
read: see docs/adr/0021-a-count-proves-a-night-between-two-sweeps.md.
"""

from __future__ import annotations

import json
import logging
import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flows.clock import moment
from flows.config import natives
from flows.run import Run
from flows.scope import Former
from flows.state.imprints import trusted
from flows.state.stores import runs_folder
from flows.steps import marks, steps
from flows.steps.marks import OVERLAP
from flows.steps.near import FEW
from reconcile.baseline import former as baseline
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError, StateError, Stopped
from reconcile.ledger import hints, runs
from reconcile.ledger.runs import RunRow
from reconcile.link import focused
from reconcile.link.neighbourhood import note_looked
from reconcile.model import OpKind, Side
from reconcile.plan import creates
from reconcile.ports import Counts, Scope, Write
from reconcile.stage.archive import MANIFEST, Archived
from reconcile.values.policy import OnDelete

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.steps.sweeps")

SLACK = timedelta(hours=12)
"""How much earlier than its day a full reading may come.

A night does not begin at the same second as the one a week before.
"""

_LOOKED_INTO = 12
"""Of so many runs the archives are looked into."""

_JOBS = frozenset({"nightly", "run", "apply", "migrate"})
_SETTLED = frozenset({"settled", "stopped"})

_ARCHIVED = f"raw_{OWNER}_{Side.GHL}.parquet"
_BY_KEY = f"proven_{OWNER}_{Side.GHL}.parquet"


def always_reads_all(pair: Pair) -> str:
    """Why each night reads all contacts, whatever the pair's `sweep`; "" where none has to."""
    if pair.sweep is None:
        return 'sweep = "nightly"'
    if pair.ghl.business_ids:
        return "GHL does not say which contacts of a business changed, nor how many it has"
    mapped = pair.mapping[OWNER].native(Side.GHL)
    undated = {
        "tags": "tags" in mapped and pair.ghl.tags_move_date != "yes",
        "consents": natives.is_consent(OWNER, mapped),
        "companies": natives.linked(OWNER, mapped) is not None,
    }
    unknown = [what for what, is_unknown in undated.items() if is_unknown]
    if unknown:
        said = " and ".join(unknown)
        return f"{said} are mapped, and it is not known that GHL dates each change of them"
    return ""


# before both sides are read -----------------------------------------------------------------------


def find_former(run: Run) -> None:
    """Note the run whose reading of GHL's contacts stands for those that did not change since.

    None where this run has to read all of them.
    """
    run.course.former = None
    if run.pair.sweep is None:
        return
    why = always_reads_all(run.pair) or _not_now(run)
    if why:
        _log_all(why)
        return
    latest = _latest(run)
    if latest is None:
        _log_all("no earlier run left a reading that can be built on")
        return
    why = _unfit(run, latest)
    if why:
        _log_all(why)
        return
    run.course.former = latest


def _log_all(why: str) -> None:
    log.info("all contacts of GHL are read", extra={"because": why})


def _not_now(run: Run) -> str:
    if run.verify_mode == "full":
        return "the run has to prove that both sides agree"
    state, mapping = run.ledger.state(), run.mapping
    then = (state.mapping_digest, state.codecs, state.digest_kind)
    if then != (mapping.digest, mapping.codecs, run.stage.digest_kind):
        return "the mapping, or what it was completed with, is another than in the last run"
    if state.ghl_identity != run.described[Side.GHL].identity:
        return "GHL's location is another than in the last run"
    return ""


def _latest(run: Run) -> Former | None:
    """The newest settled run whose archive has a reading of everybody."""
    for row in runs.runs(run.ledger, limit=_LOOKED_INTO, deltas=False):
        if row.job in _JOBS and row.state in _SETTLED:
            former = _archived(run, row)
            if former is not None:
                return former
    return None


def _archived(run: Run, row: RunRow) -> Former | None:
    folder = runs_folder(run.pair) / row.run_id
    try:
        folder = trusted(run.pair, run.ledger, folder, MANIFEST, _ARCHIVED, _BY_KEY)
        with Archived(folder) as archived:
            snapshot = archived.snapshot(OWNER, Side.GHL)
            if snapshot is None or not snapshot.everybody or snapshot.quarantined:
                return None
            entities = archived.manifest["entities"]
            columns = tuple(entities[OWNER.value]["natives"][Side.GHL.value])
            digests = str(archived.manifest["digests"])
            newest = baseline.newest(archived, OWNER, Side.GHL)
    except StateError as error:
        log.warning("an archive is not used", extra={"run": row.run_id, "why": error.code})
        return None
    if newest is None:
        return None
    since = _since(run, snapshot.taken_at, newest)
    as_of = snapshot.as_of or snapshot.taken_at
    return Former(folder / _ARCHIVED, snapshot.taken_at, since, as_of, columns, digests)


def _since(run: Run, taken_at: str, newest: str) -> str:
    """From when on GHL is asked for changes.

    By our clock, and by GHL's own: what changed after a reading, or was not in its index yet, is
    dated no earlier than the newest date there, less the lag. So no clock that was wrong hides it.
    """
    lag = timedelta(seconds=run.lags[Side.GHL])
    by_theirs = moment(datetime.fromisoformat(newest) - lag)
    return min(marks.behind(run, Side.GHL, taken_at), by_theirs)


def _unfit(run: Run, former: Former) -> str:
    now = datetime.fromisoformat(run.started_at)
    if datetime.fromisoformat(former.taken_at) > now + OVERLAP:
        return "the clock was set back"
    days = timedelta(days=run.pair.sweep or 0)
    if now - datetime.fromisoformat(former.as_of) >= days - SLACK:
        return f"all were last read at {former.as_of}"
    columns = tuple(run.mapping[OWNER].native(Side.GHL))
    if (former.columns, former.digests) != (columns, run.stage.digest_kind):
        return "the earlier run read other fields"
    if former.archived.exists():
        return ""
    return "what the earlier run read is not kept any more"


# once they are ------------------------------------------------------------------------------------


def complete(run: Run) -> None:
    """Stage whoever did not change as the earlier run read them.

    Where that is not everybody as they are now, all are read.
    """
    former = run.course.former
    if former is None:
        return
    try:
        why = _bring(run, former)
    except Stopped:
        raise
    except ConnectorError as error:  # of one record, perhaps; a full reading meets it if not
        why = str(error)
    if why:
        _read_all(run, why)


def _read_all(run: Run, why: str) -> None:
    _log_all(why)
    run.course.former = None
    steps.stage_one(run, steps.extract_one(run, OWNER, Side.GHL, Scope()))


def _bring(run: Run, former: Former) -> str:
    """Bring everybody who did not change; returns why that is not sure, "" where it is."""
    stage, mapped = run.stage, run.mapping[OWNER]
    read = stage.snapshots[OWNER, Side.GHL]
    if not read.complete:
        return read.why_incomplete
    copied = run.folder / "former.parquet"
    shutil.copyfile(former.archived, copied)  # the stage reaches its own folder alone
    try:
        baseline.bring(stage, mapped, Side.GHL, copied)
    finally:
        copied.unlink()
    why = (
        _unfound(run, former)
        or _read_by_key(run, former)
        or _undated(run)
        or _miscounted(run)
        or _undecided(run)
    )
    if not why:
        baseline.certify(stage, OWNER, Side.GHL, as_of=former.as_of)
    return why


def _read_by_key(run: Run, former: Former) -> str:
    """Read whom no date speaks for.

    That is who is not as the ledger last knew them, whom a webhook hinted at, and whom we may have
    deleted ourselves.
    """
    stage, connector = run.stage, run.connectors[Side.GHL]
    buried = _buried(run, former)
    due = baseline.unsettled(stage, OWNER, Side.GHL)
    suspects = buried.union(hints.hinted(run.ledger))
    if suspects:
        due |= suspects & baseline.brought(stage, OWNER, Side.GHL)
    if len(due) > _few(run):
        return f"{len(due)} contacts are not as they were settled"
    records = {}
    for key in sorted(due):
        records[key] = connector.read(OWNER, key)
        if records[key] is None and key not in buried:
            return "a contact of GHL is gone"
    baseline.renew(stage, run.mapping[OWNER], Side.GHL, records)
    return ""


def _buried(run: Run, former: Former) -> set[str]:
    """Contacts of GHL whose link was forgotten since then."""
    keys = set()
    for entity, side, key, _ in run.ledger.graves(since=former.taken_at):
        if entity == OWNER and side == Side.GHL:
            keys.add(key)
    return keys


def _few(run: Run) -> int:
    """So many contacts are read one by one; of more, a full reading has fewer requests."""
    everybody = run.stage.count(f"SELECT count(*) FROM raw_{OWNER}_{Side.GHL}")
    return max(FEW, everybody // 500)


def _undated(run: Run) -> str:
    no_date = "try_cast(modified_at AS TIMESTAMPTZ) IS NULL"
    if run.stage.some(f"raw_{OWNER}_{Side.GHL} WHERE {no_date}"):
        return "not every contact of GHL has a date of change"
    return ""


def _unfound(run: Run, former: Former) -> str:
    """Whether GHL's search misses by date whom it should find; it is asked for the last one."""
    lost = baseline.unfound(run.stage, OWNER, Side.GHL, since=former.since)
    if lost:
        return f"GHL's search does not find {len(lost)} contacts by the date of their change"
    return ""


def _miscounted(run: Run) -> str:
    """Whether GHL has another number than is staged.

    Who is new was read, so that nobody who came hides somebody who went.
    """
    connector = run.connectors[Side.GHL]
    if not isinstance(connector, Counts):
        return "GHL's side does not count its contacts"
    total = connector.count(OWNER)
    staged = run.stage.snapshots[OWNER, Side.GHL].rows
    if total == staged:
        return ""
    return f"GHL counts {total} contacts, {staged} are known"


def _undecided(run: Run) -> str:
    """Whether something is to be concluded of who is gone: that takes a full reading.

    Nothing is while a question about it waits, or where a person or the pair file wants no change.
    """
    if run.mapping[OWNER].delete.get(Side.APP) is OnDelete.IGNORE:
        return ""
    lost = baseline.without_end(run.stage, OWNER, Side.GHL)
    if not lost:
        return ""
    for hold in run.ledger.holds(only_open=False):
        waits = hold.open and hold.decision is None
        question = json.loads(str(hold.body))
        if question["kind"] == "delete" and (waits or hold.decision == "keep"):
            lost.discard(question["subject"])
    if not lost:
        return ""
    return f"what it means that {len(lost)} contacts are gone is to be decided"


# before anything is planned -----------------------------------------------------------------------


def look_for_new(run: Run) -> None:
    """Ask GHL for whom it would get anew: one who was restored may carry no date of that.

    And for those of whom a task or note is gone: they may be gone themselves, where the count adds
    up by such a one. Where GHL has another answer than is staged, all are read, and compared again.
    """
    if run.course.former is None:
        return
    try:
        why = _bereft(run) or _strangers(run)
    except Stopped:
        raise
    except ConnectorError as error:
        why = str(error)
    if why:
        _read_all(run, why)
        steps.link(run)
        steps.diff(run)


def _bereft(run: Run) -> str:
    keys = set()
    for child in OWNER.children:
        if child in run.mapping:
            keys |= baseline.bereft(run.stage, OWNER, Side.GHL, child)
    if len(keys) > _few(run):
        return f"of {len(keys)} contacts something is gone"
    for key in sorted(keys):
        if run.connectors[Side.GHL].read(OWNER, key) is None:
            return "a contact of GHL is gone"
    return ""


def _strangers(run: Run) -> str:
    stage, connector = run.stage, run.connectors[Side.GHL]
    writes = _creations(run)
    if not writes:
        return ""
    if len(writes) > _few(run):
        return f"{len(writes)} contacts are new in the app"
    staged = focused.shown(stage, OWNER, Side.GHL)
    for write in writes.values():
        for record in connector.look(write):
            if record.key not in staged:
                return "GHL has a contact that it dates no change of"
    note_looked(stage, Side.APP, writes)
    return ""


def _creations(run: Run) -> dict[str, Write]:
    """By the app's key, what would be made in GHL of each contact that has nobody there."""
    stage, mapped = run.stage, run.mapping[OWNER]
    stage.make("plan/looked")
    writes: dict[str, Write] = {}
    if not stage.some(f"unlinked_{OWNER}_app", f"free_{OWNER}_app"):
        return writes
    for key, cells in creates.missing(stage, mapped, Side.APP):
        fields = mapped.encode(cells, Side.GHL)
        writes[key] = Write(f"look-{key}", OpKind.CREATE, OWNER, fields=fields)
    return writes
