"""What the GHL connector is told.

Each GHL behaviour that nobody could confirm is a setting with a safe default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconcile.model import Entity

HOST = "https://services.leadconnectorhq.com"


@dataclass(frozen=True, slots=True)
class GhlSettings:
    """One location and how to treat it.

    `fields` names the native fields that the mapping uses; an entity that is missing or empty means
    all that are known. `business_ids` narrows the run to the contacts of these businesses.
    `clear_with` is what clears a field: whether GHL clears on null or on "" is unconfirmed
    (docs/ghl.md#clearing). `range_reads` allows independent cursors over dateAdded ranges.
    `lag_seconds` is how long the search index may trail a write (docs/ghl.md#lag). `dnd_writes` is
    whether one channel's "do not disturb" is sent with every other channel's no
    (docs/ghl.md#do-not-disturb). `company_names`: what companies are called is told beside the
    fields. `daily_reserve` is the share of the daily quota left to other
    integrations. Appointments are read from `appointments_past` days ago to
    `appointments_ahead` days from now, where they are mapped.
    """

    location: str
    url: str = HOST
    version: Literal["2021-07-28", "v3"] = "2021-07-28"
    business_ids: tuple[str, ...] = ()
    company_names: bool = False
    fields: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict)
    page_size: int = 500
    task_page: int = 100
    task_sweeps: int = 5
    tag_batch: int = 100
    business_batch: int = 50
    concurrency: int = 5
    range_reads: bool = True
    lag_seconds: float = 60.0
    daily_reserve: float = 0.1
    appointments_past: int = 30
    appointments_ahead: int = 365
    clear_with: Literal["null", "empty"] = "null"
    dnd_writes: Literal["whole", "part"] = "whole"
    user_agent: str = "ghl-reconcile/0.1"
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    attempts: int = 5

    def used(self, entity: Entity, known: tuple[str, ...]) -> tuple[str, ...]:
        """The native fields of `entity` to deal with: the mapping's, or all `known` ones."""
        return self.fields.get(entity) or known

    def days(self, entity: Entity) -> tuple[int, int]:
        """How many days before and after now records of a kind are read that happen at a time."""
        return getattr(self, f"{entity.plural}_past"), getattr(self, f"{entity.plural}_ahead")
