"""Shows what GHL made of the first few writes, and asks whether the rest shall follow."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.prompt import Confirm
from rich.text import Text

from flows.run import Canary
from flows.terminal import Console
from reconcile.apply.canary import Stirred

_MOST = 12


def asking(few: int, seconds: float) -> Canary:
    """A canary whose person sits at this terminal."""
    return Canary(few, seconds, _goes_on)


def _goes_on(stirred: Sequence[Stirred]) -> bool:
    console = Console(stderr=True)
    for line in lines(stirred):
        console.print(Text(line), soft_wrap=True)
    if not sys.stdin.isatty():
        console.print("Nobody can be asked here: the rest is left to the next plan.")
        return False
    return Confirm.ask("Shall the rest of the plan follow?", console=console, default=False)


def lines(stirred: Sequence[Stirred]) -> list[str]:
    """What changed by itself, a line a member; that nothing did is said, too."""
    if not stirred:
        return ["Nothing changed by itself in what the first few writes made."]
    found = ["The first few writes were made. Meanwhile this changed by itself:"]
    for record in stirred[:_MOST]:
        found.append(f"{record.entity} {record.key} in {record.side.label}")
        for name, before, after in record.changes:
            found.append(f"  {name}: {before or 'blank'} → {after or 'blank'}")
    if len(stirred) > _MOST:
        found.append(f"… and {len(stirred) - _MOST} more records.")
    return found
