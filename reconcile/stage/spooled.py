"""What one side handed over, as it lies on disk before it is loaded, and how much is taken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconcile.errors import ConnectorError, Malformed
from reconcile.ports import Page, Proof

_LOOKED_AT = 50  # pages between two looks at the disk


@dataclass(frozen=True, slots=True)
class Spooled:
    """An extraction on disk, as JSON lines, with what it proves and covers; begun at `taken_at`."""

    path: Path
    proof: Proof
    covered: tuple[str, ...]
    taken_at: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one entity of one side is read: pages, bytes. `room` stays free on the disk."""

    pages: int = 2_000_000
    bytes: int = 64 << 30
    room: int = 256 << 20


def spool(path: Path, pages: Iterator[Page | Proof], bounds: Bounds, *, taken_at: str) -> Spooled:
    """Write an extraction to `path` until its end.

    A fault of the side makes it incomplete, with the reason; what was read before it stays.
    """
    covered: list[str] = []
    # An extraction ends with its proof: one that ends without was cut off somewhere.
    proof = Proof(
        complete=False,
        why_incomplete="the extraction ended without saying whether it is complete",
    )
    with path.open("wb") as out:
        try:
            for number, part in enumerate(pages):
                if isinstance(part, Proof):
                    proof = part
                    continue
                _bound(path, number, out.tell() + len(part.lines), bounds)
                out.write(part.lines)
                covered.extend(part.covers)
        except ConnectorError as error:
            proof = Proof(complete=False, why_incomplete=str(error))
    return Spooled(path, proof, tuple(covered), taken_at)


def _bound(path: Path, pages: int, size: int, bounds: Bounds) -> None:
    """Raise Malformed for more than any side has, or than there is room for."""
    if pages >= bounds.pages or size > bounds.bytes:
        raise Malformed(
            f"more than {bounds.pages:,} pages or {bounds.bytes:,} bytes of one entity",
            remedy="see why the side's pages do not end",
            code="TOO_LARGE",
        )
    if pages % _LOOKED_AT == 0 and shutil.disk_usage(path.parent).free < bounds.room:
        raise Malformed(
            f"less than {bounds.room:,} bytes are free where the pages are kept",
            remedy="give the store's disk more room",
            code="TOO_LARGE",
        )
