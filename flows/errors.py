"""What a person is told when a command cannot go on.

A sentence and a remedy, and frames of the code only for a defect.
"""

from __future__ import annotations

import re
import traceback

from reconcile.errors import ReconcileError

_STORES = ("sqlalchemy", "sqlite3", "psycopg", "pymysql", "duckdb")


REPORT = "Report: "
"""How the note begins that says where the report of a failed run lies.

Other notes may hold a value, and are not shown.
"""


def message_of(error: BaseException) -> str:
    """The lines for standard error.

    They hold no value of a record: of an unknown error its type and place alone are shown.
    """
    said = reason(error)
    frames = (
        "".join(traceback.format_tb(error.__traceback__)) if said.startswith("[DEFECT]") else ""
    )
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(REPORT)]
    return "\n".join([f"{frames}{said}", *notes])


def reason(error: BaseException) -> str:
    """What went wrong and what to do, without the frames."""
    if isinstance(error, ReconcileError):
        return str(error)
    if isinstance(error, ConnectionError):
        return f"[MACHINE] {error.strerror or type(error).__name__} → {_GONE}"
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"[MACHINE] {error.strerror or type(error).__name__}{place} → {_MACHINE}"
    if type(error).__module__.partition(".")[0] in _STORES:
        return f"[STORE] {_store(error)} → {_STORE}"
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_SERVER):
        return f"[PREFECT] Prefect's own server did not start in time → {_SERVER}"
    return f"[DEFECT] {type(error).__name__} → {_REPORT_IT}"


_NO_SERVER = "Timed out while attempting to connect to ephemeral"
"""How Prefect begins to say that the server which it starts for one flow does not answer."""
_SERVER = (
    "Run with `--engine local`, which needs none; on a machine this slow, let "
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS be more than 120."
)

_MACHINE = "Give the job a file or folder that it may use, with room on the disk, and run it again."
_GONE = (
    "Who was at the other end of a pipe or a connection has gone: see that it runs, then run again."
)
_STORE = (
    "Check the disk and the rights of the pair's store and ledger, then run again: "
    "what was done is in the journal."
)
_REPORT_IT = (
    "This is a defect: please report it with the lines above. "
    "What was done is in the journal; the next run goes on."
)


# A database repeats values between quotes, and in what follows DETAIL or a colon; names of tables
# stand there, too.
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|\(.*\)""")


def _store(error: BaseException) -> str:
    """The first line of what a database said, without what stands in quotes.

    That may be anybody's value.
    """
    original = getattr(error, "orig", None) or error
    first_line = str(original).strip().partition("\n")[0]
    words = f"{type(error).__name__}: {_QUOTED.sub('…', first_line)}"
    state = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if state:
        words += f" ({state})"
    return redacted(words)


_SECRET = re.compile(
    r"(?i)(bearer\s+|pit-|token[\"'=:\s]+|secret[\"'=:\s]+|password[\"'=:\s]+"
    r"|://[^/\s:@]*:)[^\s\"',;@]+"
)


def redacted(text: str) -> str:
    """The text without what looks like a token, a secret or a password."""
    return _SECRET.sub(lambda match: f"{match[1]}***", text)
