"""How far both sides are known: up to when they were read, and what is kept of all that was."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from flows.clock import moment
from flows.run import Run
from reconcile.apply import settle_known
from reconcile.entities import OWNER
from reconcile.errors import Refused
from reconcile.ledger import watermarks
from reconcile.ledger.ledger import PairState
from reconcile.model import Side

OVERLAP = timedelta(minutes=10)
"""How far behind the watermark a look by time begins.

GHL's index trails by up to a minute, and clocks differ. A side that trails more says so itself.
"""


def since(run: Run) -> dict[Side, str]:
    """The moment from which each side is asked for changes: its watermark less the overlap."""
    marks = {side: watermarks.get(run.ledger, side) for side in run.connectors}
    missing = [side.label for side, mark in marks.items() if mark is None]
    if missing:
        raise Refused(
            (
                f"{' and '.join(missing)} was never read whole and settled, "
                "so what changed since then is not known"
            ),
            remedy="do a full run first, or name what changed",
            code="NO_WATERMARK",
        )
    latest = moment(datetime.fromisoformat(run.started_at) + OVERLAP)
    ahead = [side.label for side, mark in marks.items() if str(mark) > latest]
    if ahead:
        raise Refused(
            (
                f"{' and '.join(ahead)} was last looked at later than this machine's clock says it "
                "is, so the clock was set back"
            ),
            remedy="correct the clock; if it is right, do a full run: it starts the counting anew",
            code="CLOCK_BACK",
        )
    return {side: behind(run, side, str(mark)) for side, mark in marks.items()}


def behind(run: Run, side: Side, mark: str) -> str:
    """From when on a side is asked for what changed since a moment."""
    lag = timedelta(seconds=run.lags[side])
    return moment(datetime.fromisoformat(mark) - max(OVERLAP, lag))


def move(run: Run, connection: Connection) -> None:
    """What a side showed and this run settled, no delta needs to look at again."""
    if run.course.stopped or (run.sought and not run.sought.by_time):
        return
    for side in run.connectors:
        known = [known for (_, at), known in run.stage.snapshots.items() if at is side]
        if not all(snapshot.complete for snapshot in known):
            continue
        if run.sought:
            watermarks.put(run.ledger, connection, side, run.started_at)
            continue
        # The earliest: what changed while another entity was read is looked at again.
        whole = [each.taken_at for each in known if each.as_of or not each.partial]
        if whole:
            watermarks.put(run.ledger, connection, side, min(whole))


def advanced(run: Run, connection: Connection) -> PairState:
    """The pair's next state. What a partial run did not look at stays under the former mapping."""
    before = run.ledger.state()
    known = settle_known.settle(
        run.stage,
        run.ledger,
        connection,
        run.mapping[OWNER],
        before=before.known,
        fresh=secrets.token_hex(16),
    )
    if run.sought:
        return replace(before, generation=before.generation + 1, known=known)
    return PairState(
        generation=before.generation + 1,
        app_identity=run.described[Side.APP].identity,
        ghl_identity=run.described[Side.GHL].identity,
        mapping_digest=run.mapping.digest,
        codecs=run.mapping.codecs,
        digest_kind=run.stage.digest_kind,
        known=known,
    )
