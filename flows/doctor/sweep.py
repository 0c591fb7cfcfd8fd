"""What the pair's `sweep` comes to, for what it maps."""

from __future__ import annotations

from collections.abc import Iterator

from flows.config import Pair
from flows.doctor.finding import Finding, ok, warning
from flows.steps.sweeps import always_reads_all


def sweep(pair: Pair) -> Iterator[Finding]:
    """Whether nights between two full readings are shorter, and what they then do not read."""
    if pair.sweep is None:
        return
    why = always_reads_all(pair)
    if why:
        yield warning(f"each night reads all contacts of GHL: {why}", _remedy(why))
        return
    days = "day" if pair.sweep == 1 else f"{pair.sweep} days"
    yield ok(
        f"every {days} a night reads all contacts of GHL; between, it reads those that GHL dates a "
        "change of, and all where GHL's count differs"
    )
    if pair.verify.mode == "full":
        yield warning(
            "each night reads all contacts of GHL all the same: it proves that both sides agree",
            'Write mode = "written" under [verify].',
        )


def _remedy(why: str) -> str:
    if why.startswith("tags are"):
        return 'See what `doctor --probe` says of tags; then write tags_move_date = "yes".'
    return 'Leave `sweep` out, or write sweep = "nightly": it changes nothing here.'
