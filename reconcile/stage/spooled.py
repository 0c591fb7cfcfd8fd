"""What one side handed over, as it lies on disk before it is loaded, and how much is taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconcile.ports import Proof


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
