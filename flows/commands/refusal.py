"""How a command that came to nothing is told.

The limits of a refusal as a table, and everything as one document for machines.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.terminal import Console

if TYPE_CHECKING:
    from reconcile.errors import Refused

Limit = Map[str, Any]

_ENDED = "[INTERRUPTED] it was told to end, or could not start → run it again"


def limits(console: Console, broken: Sequence[Limit]) -> None:
    """Print the table, and beneath it what each flag would let happen."""
    if not broken:
        return
    # Help needs none of it, and a report brings both databases along.
    from reconcile.report.limits import cells

    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("limit", "found", "allowed"):
        table.add_column(head, overflow="fold")
    table.add_column("with it", overflow="fold", style="red")
    table.add_column("to allow it", no_wrap=True)
    for limit in broken:
        table.add_row(*map(Text, cells(limit)))
    console.print(table)
    for limit in broken:
        what = "" if limit["found"] is not None else f"{limit['what']}: "
        console.print(Text(f"--allow {limit['name']}: {what}{limit['danger']}", style="dim"))


def tell(refusal: Refused) -> None:
    """A refusal on standard error.

    What it came to, the limits, what to do, and where the report lies.
    """
    console = Console(stderr=True)
    many = "a limit" if len(refusal.limits) == 1 else f"{len(refusal.limits)} limits"
    said = f"[{refusal.code}] nothing was written: the plan goes over {many}"
    console.print(Text(said, style="bold red"))
    limits(console, refusal.limits)
    console.print(Text(f"→ {refusal.remedy}"))
    for note in report_notes(refusal):
        console.print(Text(note), soft_wrap=True)


def document(words: str, error: BaseException | None) -> dict[str, Any]:
    """What a command came to that ended with 3.

    The run's report, where it left one, with `error` and `exit_code` beside it.
    """
    from reconcile.report import kept

    # A run that was refused, or failed, has left a report: machines get the same document as on any
    # ending.
    report: dict[str, Any] = {}
    for note in report_notes(error):
        path = Path(note.partition(": ")[2]).with_name("report.json")
        report = kept.read(path) if path.exists() else {}
    return {"error": _error(words, error), "exit_code": 3, "limits": _limits(error)} | report


def report_notes(error: BaseException | None) -> list[str]:
    """What an error says of where a report lies; other notes may hold a person's value."""
    from flows.errors import REPORT

    return [note for note in getattr(error, "__notes__", ()) if note.startswith(REPORT)]


def _error(words: str, error: BaseException | None) -> dict[str, str]:
    """The code, what is wrong, and the remedy, as they stand on standard error."""
    from flows.errors import reason

    said = reason(error) if error is not None else words or _ENDED
    code, _, rest = said.removeprefix("[").partition("] ")
    what, _, remedy = rest.partition(" → ")
    return {"code": code, "what": what, "remedy": remedy}


def _limits(error: BaseException | None) -> list[Limit]:
    return list(getattr(error, "limits", ()))
