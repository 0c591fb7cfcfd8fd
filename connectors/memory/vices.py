"""The vices of real sides, each a switch of the reference connector.

The engine is tested against all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from reconcile.errors import ConnectorError
from reconcile.model import Entity
from reconcile.ports import FieldInfo, Json, Write

FIELDS: Mapping[Entity, Mapping[str, FieldInfo]] = {
    Entity.COMPANY: {
        "name": FieldInfo(),
        "phone": FieldInfo("phone"),
        "city": FieldInfo(),
    },
    Entity.CONTACT: {
        "first_name": FieldInfo(),
        "last_name": FieldInfo(),
        "email": FieldInfo("email"),
        "phone": FieldInfo("phone"),
        "company": FieldInfo(),
        "birthday": FieldInfo("date"),
        "visits": FieldInfo("integer"),
        "consent": FieldInfo("bool"),
        "stage": FieldInfo("choice", choices=("lead", "customer", "lost")),
        "tags": FieldInfo("tags"),
    },
    Entity.TASK: {
        "title": FieldInfo(),
        "body": FieldInfo(),
        "due": FieldInfo("instant"),
        "completed": FieldInfo("bool"),
    },
    Entity.NOTE: {"body": FieldInfo()},
    Entity.OPPORTUNITY: {
        "name": FieldInfo(),
        "pipeline": FieldInfo(),
        "stage": FieldInfo(),
        "status": FieldInfo(),
        "value": FieldInfo("decimal"),
    },
    Entity.APPOINTMENT: {
        "title": FieldInfo(),
        "status": FieldInfo(),
        "start": FieldInfo("instant"),
    },
}
"""The native fields that a MemoryConnector has unless told otherwise.

`put` and `edit` may add more.
"""


class Killed(BaseException):
    """What the `crash` vice raises unless told otherwise.

    The process is gone, nothing catches it on the way.
    """


@dataclass(frozen=True, slots=True)
class Crash:
    """Raise `error` at the `at`-th write that is carried out (from 1).

    It is raised before the write takes effect, or after, unanswered.
    """

    at: int
    when: Literal["before", "after"] = "after"
    error: BaseException = field(default_factory=Killed)


def _always(_entity: Entity, _key: str) -> bool:
    return True


def _accept(_write: Write) -> str | None:
    return None


def _certain(_write: Write) -> Literal["lost", "applied"] | None:
    return None


def _named(_entity: Entity, _key: str) -> bool:
    return False


def _readable(_entity: Entity, _key: str) -> ConnectorError | None:
    return None


@dataclass(frozen=True, slots=True)
class Vices:
    """What real sides do and an ideal one does not; each is off by default.

    lag_seconds: `extract` shows what was true that long ago, `read` what is true now; `lags` says
    for which records. lowercase_tags, e164: tags and the fields of type phone are stored in another
    form than they were written in. drops: fields of a write that are accepted and silently not
    stored. gives: what a create has of itself. rejects: a code for a write that is refused. unique:
    fields of a contact that no two may share; a create answers DUPLICATE with the key that exists;
    strict: so does an update. crash: see Crash. uncertain: writes whose answer is lost, whether
    they took effect ("applied") or not ("lost"). incomplete: entities whose extraction breaks off
    half way, and why. notes_per_run: an extraction of all notes covers only that many contacts, the
    next one the next ones. unversioned: records carry no version. undated: entities whose records
    carry no modification time. unnamed: records whose read by key is refused without a word of
    which record is meant. lacks: by entity, the fields that an extraction does not carry; an entity
    that is named is read in bulk from elsewhere. lacking: in which records. unreadable: what a read
    by key of a record raises, if anything.
    """

    lag_seconds: float = 0.0
    lags: Callable[[Entity, str], bool] = _always
    lowercase_tags: bool = False
    e164: bool = False
    drops: frozenset[str] = frozenset()
    gives: Mapping[str, Json] = field(default_factory=dict)
    rejects: Callable[[Write], str | None] = _accept
    unique: tuple[str, ...] = ()
    strict: bool = False
    crash: Crash | None = None
    uncertain: Callable[[Write], Literal["lost", "applied"] | None] = _certain
    incomplete: Mapping[Entity, str] = field(default_factory=dict)
    notes_per_run: int | None = None
    unversioned: bool = False
    undated: frozenset[Entity] = frozenset()
    lacks: Mapping[Entity, frozenset[str]] = field(default_factory=dict)
    lacking: Callable[[Entity, str], bool] = _always
    unnamed: Callable[[Entity, str], bool] = _named
    unreadable: Callable[[Entity, str], ConnectorError | None] = _readable


class Ticks:
    """A clock for tests: every call is one second later than the last; `advance` lets time pass."""

    def __init__(self, start: str = "2026-01-01T00:00:00Z") -> None:
        self._now = datetime.fromisoformat(start)

    def __call__(self) -> str:
        """The instant, ISO 8601 in UTC."""
        self.advance(1)
        return self._now.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def seconds(self) -> float:
        """The same as seconds since the epoch; to ask lets no time pass."""
        return self._now.timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
