"""What a failed request means for the Write behind it."""

from __future__ import annotations

from reconcile.errors import (
    Blocked,
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    Forbidden,
    Malformed,
    Transient,
    Uncertain,
    WrongLocation,
)
from reconcile.model import Status
from reconcile.ports import Reply, Write

FATAL = (Expired, Forbidden, WrongLocation, Blocked)
"""No other write would fare better: the run stops with the error itself."""


def reply_to(write: Write, error: ConnectorError) -> Reply:
    """The Reply for a write whose request ended in `error`.

    The detail holds names of fields, never their values.
    """
    key = error.key if isinstance(error, Duplicate) else None
    return Reply(
        write.op_id,
        _status(error),
        key=key,
        code=error.code,
        detail=error.what,
        trace_id=error.trace_id,
    )


def _status(error: ConnectorError) -> Status:
    if isinstance(error, Exhausted) or error.code == "UNSENT":
        return Status.SKIPPED
    # An answer that is not to be understood may be that of a write that was carried out.
    if isinstance(error, Uncertain | Transient | Malformed):
        return Status.UNCERTAIN
    return Status.REJECTED


def skipped(write: Write, error: ConnectorError) -> Reply:
    """The Reply for a write that was never sent, because `error` ended the sending."""
    return Reply(
        write.op_id, Status.SKIPPED, code=error.code, detail=error.what, trace_id=error.trace_id
    )
