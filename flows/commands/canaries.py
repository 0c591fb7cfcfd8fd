"""Shows what GHL made of the first few writes, and asks whether the rest shall follow."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.prompt import Confirm
from rich.text import Text

from flows.run import Canary
from flows.terminal import Console
from reconcile.apply.canary import Seen

_MOST = 12


def asking(few: int, seconds: float) -> Canary:
    """A canary whose person sits at this terminal."""
    return Canary(few, seconds, _goes_on)


def _goes_on(seen: Seen) -> bool:
    console = Console(stderr=True)
    for line in lines(seen):
        console.print(Text(line), soft_wrap=True)
    if not sys.stdin.isatty():
        console.print("Nobody can be asked here: the rest is left to the next plan.")
        return False
    return Confirm.ask("Shall the rest of the plan follow?", console=console, default=False)


def lines(seen: Seen) -> Iterator[str]:
    """What came of the first writes, and what changed by itself, a line a member.

    That nothing changed is said of the records alone that were read twice.
    """
    yield f"Of the first writes {seen.written:,} were made."
    for code, count in sorted(seen.failed.items()):
        yield f"  {count:,} failed: {code}"
    if seen.unread:
        yield f"{seen.unread:,} of their records could not be read: nothing is known of them."
    if not seen.looked_at:
        yield "No record of GHL was looked at."
    elif not seen.stirred:
        yield f"Nothing changed by itself in {seen.looked_at:,} records that were read twice."
    for record in seen.stirred[:_MOST]:
        yield f"Changed by itself: {record.entity} {record.key} in {record.side.label}"
        for name, before, after in record.changes:
            yield f"  {name}: {before or 'blank'} → {after or 'blank'}"
    if len(seen.stirred) > _MOST:
        yield f"… and {len(seen.stirred) - _MOST} more records."
