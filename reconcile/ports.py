"""The one interface that a connector fills.

Read a side in its own terms, write to it, and look when in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from reconcile.entities import Shown
from reconcile.model import Entity, OpKind, Side, Status

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A native value on its way in or out.

Dates, instants and decimals travel as text (ISO 8601; plain decimal).
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A step of a Path into a list of objects.

    It is the first one whose `where` member equals `equals`.
    """

    where: str
    equals: str


@dataclass(frozen=True, slots=True)
class Only:
    """The last step of a Path: the value counts where its text is this one alone."""

    equals: str


Path: TypeAlias = tuple[str | Item | Only, ...]
"""Where a value lies in a JSON object: ("a", "b") is a.b.

("customFields", Item("id", "x9"), "value") looks in a list.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a side's JSON lines hold what the job needs.

    With it DuckDB reads pages without a Python object a record.

    Each entry lists paths in order of preference: the first that holds a value other than null
    wins. `fields` is keyed by native field name, the names that a mapping may use.
    """

    key: tuple[Path, ...]
    fields: Mapping[str, tuple[Path, ...]]
    parent: tuple[Path, ...] = ()
    version: tuple[Path, ...] = ()
    modified_at: tuple[Path, ...] = ()
    deleted: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One native row as a connector yields it.

    `fields` by native name, `modified_at` an ISO 8601 instant in UTC.
    """

    key: str
    fields: Mapping[str, Json]
    parent: str | None = None
    version: str | None = None
    modified_at: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """`rows` records as JSON lines of the connector's Shape.

    One line is one object, in UTF-8, and ends with a newline.

    `covers` lists keys (contacts) or parents (tasks, notes) that this page covers wholly when the
    extraction is partial: what is not there under a covered key is absent, and of any other key
    nothing is said.
    """

    lines: bytes
    rows: int
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of time that a read was about.

    It shows all records whose native `field` is a moment from `since` until before `until` (ISO
    8601 in UTC), and says nothing of others.
    """

    field: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The last thing an extraction yields: whether all of it was read, and why not.

    `reported_total` is the side's own count where it gives one. `partial` says that only what pages
    cover was asked for, and `span` that only a stretch of time was. `quarantined` are rows that
    could not be read, each said in one sentence with its file and line or key.
    """

    complete: bool
    why_incomplete: str = ""
    reported_total: int | None = None
    partial: bool = False
    quarantined: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What to extract: everything, which is the default, or a part.

    A part is only `keys`, only what is under `parents`, or what changed since `since`.

    `since` is an ISO 8601 instant in UTC; what carries no time may have changed since. An
    extraction with any of them set is partial.
    """

    keys: tuple[str, ...] | None = None
    parents: tuple[str, ...] | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One write in a side's own terms.

    For tags, `tags` holds what to add or remove and `fields` is empty.

    `expected` holds the native values that the plan saw in the fields it changes, and `version` the
    version it saw: a connector that can compare them without another request must (SQL: in the
    WHERE clause), and answers `stale`. `check` asks for a look: see `looked_at`, which a connector
    calls as the last thing before it sends an update, a completion, an archive or a delete.
    """

    op_id: str
    kind: OpKind
    entity: Entity
    key: str | None = None
    parent: str | None = None
    fields: Mapping[str, Json] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    expected: Mapping[str, Json] = field(default_factory=dict)
    version: str | None = None
    check: Check | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a side said to one Write.

    done: `record` is what it says it now holds (None after a delete; for tags,
    `record.fields["tags"]` is the whole set when the side told it). rejected: `code` and `detail`
    say why; code DUPLICATE with `key` names the record that exists. stale: the record is not as
    expected. uncertain: it may or may not have happened. skipped: it was never sent.
    """

    op_id: str
    status: Status
    record: Record | None = None
    key: str | None = None
    code: str = ""
    detail: str = ""
    trace_id: str | None = None


Check: TypeAlias = "Callable[[Record | None], Write | Reply]"
"""Given the record as it is now, what to send.

None means that the record is gone. Where nothing is to be sent, it gives the reply.
"""


def looked_at(write: Write, read: Callable[[], Record | None]) -> Write | Reply:
    """The write to send after the look that it asks for.

    Where there is nothing to send, it is the reply.

    A connector reads the record as late as it can, and under the lock of the write where it has
    one: what somebody changes between the look and the write is lost.
    """
    if write.check is None:
        return write
    return write.check(read())


FieldType = Literal[
    "text",
    "email",
    "phone",
    "date",
    "instant",
    "decimal",
    "integer",
    "bool",
    "choice",
    "tags",
    "json",
]


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What a side says of one native field.

    Its type, whether it can be written or cleared, its choices, a few samples.

    Where it is not `nullable`, a blank is a value like any other: of a unique column, one record
    may have it.
    """

    type: FieldType = "text"
    writable: bool = True
    clearable: bool = True
    label: str = ""
    choices: tuple[str, ...] = ()
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Description:
    """What a side is: its identity, its fields, and what it can do.

    `identity` names the database or location itself, so that a changed one is noticed before it is
    taken for a wipe. `region` is the ISO 3166 country for phones without a prefix. `lag_seconds` is
    how long a bulk read may trail a write. `costs` is requests per single write by kind (0 where
    the side does not count requests); `bulk_tags` is how many contacts one tag request takes (0:
    none). `modified` tells which entities carry a modification time. `bulk` names the bulk read of
    each entity whose rows come from elsewhere than a read by key, so that they may carry fewer
    fields. `read_only` is why the side takes no writes at all, where it says so. `places` says
    where each entity lies, in words that are the same whatever name, login or spelling leads there:
    another pair on the same place is noticed by them. Without it the identity stands for each.
    `timezone` is the IANA name of the zone that the side's people live by, "" where it says none.
    `owners` gives the email of each user whom records may belong to, by the key that records hold;
    None where it is not told. `companies` gives the name of each company by the key that contacts
    hold, where contacts' companies are asked for.
    """

    identity: str
    fields: Mapping[Entity, Mapping[str, FieldInfo]]
    region: str | None = None
    lag_seconds: float = 0.0
    costs: Mapping[OpKind, float] = field(default_factory=dict)
    bulk_tags: int = 0
    modified: frozenset[Entity] = frozenset()
    rewrites_tags: bool = False
    bulk: Mapping[Entity, str] = field(default_factory=dict)
    read_only: str = ""
    places: Mapping[Entity, str] = field(default_factory=dict)
    timezone: str = ""
    owners: Mapping[str, str] | None = None
    companies: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests so far, and what the side says remains (None where it does not say).

    `window` is (requests, seconds).

    `daily` is the quota of a whole day; of it, and of what remains, `reserved` requests are left to
    others. `looks` are the writes before which a record was looked at, `longest_look` the most
    seconds from such a look to the end of its write.
    """

    requests: int = 0
    remaining_today: int | None = None
    daily: int | None = None
    reserved: int = 0
    window: tuple[int, float] | None = None
    answers_429: int = 0
    looks: int = 0
    longest_look: float = 0.0
    by_endpoint: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Connector(Protocol):
    """One side.

    Safe to call from one thread at a time; parallelism is the connector's own business.

    Errors: the tree under reconcile.errors.ConnectorError. Nothing here maps a field or decides
    anything.
    """

    side: Side

    def describe(self) -> Description:
        """Connect, check that what is declared exists, and say what this side is.

        Tables, columns and fields are checked.
        """
        ...

    def shape(self, entity: Entity) -> Shape:
        """Where `extract`'s JSON lines hold this entity's fields."""
        ...

    def extract(self, entity: Entity, scope: Scope = Scope()) -> Iterator[Page | Proof]:
        """Yield pages in bounded memory, then exactly one Proof.

        A fault ends it with an incomplete Proof, never short.
        """
        ...

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now, past any index that lags; None if it is gone."""
        ...

    def look(self, write: Write) -> Sequence[Record]:
        """The records that a create in doubt may have made.

        They have the same identity or content. It never writes.
        """
        ...

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Carry out writes that do not depend on one another and concern a record each.

        One Reply a Write, in any order.
        """
        ...

    def usage(self) -> Usage:
        """Requests so far and what remains."""
        ...

    def close(self) -> None:
        """Release what is held open."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time.

    `start` is an instant in UTC (ISO 8601); None where it cannot be read.
    """

    key: str
    status: str
    title: str
    start: str | None


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is only shown of a contact, or in `failure` why it could not be read."""

    contact: str
    events: tuple[Event, ...] = ()
    failure: str = ""


@runtime_checkable
class Counts(Protocol):
    """What a side can tell of how many records it has, without reading them."""

    def count(self, entity: Entity) -> int | None:
        """The side's own count of all of them; None where it gives none."""
        ...


@runtime_checkable
class ShowsWhole(Protocol):
    """What a side can show of a record beyond the fields in use, to see what changes by itself."""

    def whole(
        self, entity: Entity, key: str, parent: str | None = None
    ) -> Mapping[str, Json] | None:
        """The record with every member that the side tells, less its times; None if it is gone."""
        ...


@runtime_checkable
class ShowsAgendas(Protocol):
    """What a side can show beside its records, never written; without it none is asked for."""

    def agendas(self, kind: Shown, contacts: Sequence[str]) -> Iterator[Agenda]:
        """One Agenda a contact, in their order; an error that is raised is the whole side's."""
        ...
