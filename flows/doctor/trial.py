"""The single questions of a probe about contacts, tasks and notes.

Each does one small thing to the throw-away contact and looks at what became of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.ghl import children, contacts, tags
from connectors.ghl.api import Api
from connectors.ghl.schema import CustomField
from reconcile.errors import ConnectorError, Duplicate
from reconcile.model import Entity, Side
from reconcile.ports import Json
from reconcile.values.codecs import RichText

Result = TypeVar("Result")

_LAG_SECONDS = 120.0
_LOOK_EVERY = 2.0
_TASKS_ASKED = 1000
_BODY = "First line\nSecond <b>bold</b> & 3 < 4"
_DUE = "2030-01-31T09:00:00Z"
_BY_TYPE: Mapping[str, Json] = {
    "decimal": 7,
    "date": "2020-01-31",
    "email": "probe@example.com",
    "bool": True,
}


@dataclass(frozen=True, slots=True)
class Time:
    """How a probe waits and measures, in seconds."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


REAL_TIME = Time()


@dataclass(slots=True)
class Trail:
    """What a probe makes and must take away again.

    Its names hold a word that nobody else has: what was made although the answer was lost is found
    by them. `contacts` are keys by email, `records` kinds and keys of what has paths of its own,
    `tried` the kinds of which one may have been made.
    """

    email: str
    other: str
    tag: str
    company: str
    contacts: dict[str, str] = field(default_factory=dict)
    records: list[tuple[Entity, str]] = field(default_factory=list)
    tried: set[Entity] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Subject:
    """The throw-away contact, the one beside it, and what is needed to work on them."""

    api: Api
    contact: str
    trail: Trail
    standard: Mapping[str, str]
    custom: Mapping[str, CustomField]
    made_at: float
    time: Time

    def now(self) -> dict[str, Any]:
        """The contact as it is now."""
        return contacts.get(self.api, self.contact) or {}


@dataclass(frozen=True, slots=True)
class Trial:
    """A question, and what finds its answer: the answer, and what it suggests.

    `fact`, which it is about, is a heading of docs/ghl.md.
    """

    question: str
    run: Callable[[Subject], tuple[str, str]]
    fact: str


def trials(*, thorough: bool) -> tuple[Trial, ...]:
    """All questions, the quickest to go stale first; the costly one only where asked for."""
    costly: tuple[Trial, ...] = ()
    if thorough:
        costly = (Trial("Does reading a contact's notes stop at 100?", _many_notes, "notes"),)
    return (
        Trial("How long does the search index trail a write?", _lag, "lag"),
        Trial("Does GHL change the case of an email?", _email_case, "phones-and-emails"),
        Trial("Does a tag move dateUpdated, and how are tags stored?", _tag, "tags"),
        Trial("Does a task move dateUpdated, and does its body come back as sent?", _task, "lag"),
        Trial(
            "Does a note move dateUpdated, and does its body come back as sent?",
            _note,
            "rich-text",
        ),
        Trial("How many tasks does one page of tasks/search take?", _task_page, "tasks"),
        Trial("Does tasks/search show deleted tasks?", _deleted_tasks, "tasks"),
        Trial("What clears a field: null or an empty text?", _clearing, "clearing"),
        Trial("What clears a custom field, by type?", _custom_clearing, "clearing"),
        Trial("In which order does /contacts/search answer when not told?", _order, "search"),
        Trial("Is an update to another contact's email refused?", _shared_update, "contacts"),
        *costly,
    )


def _shared_update(subject: Subject) -> tuple[str, str]:
    try:
        other: dict[str, Json] = {"firstName": "Reconcile", "email": subject.trail.other}
        created = contacts.create(subject.api, other)
        subject.trail.contacts[subject.trail.other] = str(created["id"])
        contacts.update(subject.api, subject.contact, {"email": subject.trail.other})
    except Duplicate:
        return "yes, as a duplicate", ""
    contacts.update(subject.api, subject.contact, {"email": subject.trail.email})
    return "no: two contacts then have one email", ""


def _lag(subject: Subject) -> tuple[str, str]:
    while True:
        rows = contacts.find(subject.api, subject.trail.email)
        passed = subject.time.clock() - subject.made_at
        if any(one.get("id") == subject.contact for one in rows):
            return (
                f"the new contact was found after {passed:.0f} s",
                f"lag_seconds = {max(60, round(3 * passed))}",
            )
        if passed > _LAG_SECONDS:
            return f"the new contact was not found within {_LAG_SECONDS:.0f} s", "lag_seconds = 300"
        subject.time.sleep(_LOOK_EVERY)


def _email_case(subject: Subject) -> tuple[str, str]:
    if subject.now().get("email") == subject.trail.email:
        return "no, it is stored as sent", ""
    return "yes, it is stored in lower case", ""


def _moved(subject: Subject, act: Callable[[], Result]) -> tuple[bool, Result]:
    """Whether what is done to a contact moves its dateUpdated, and what came of it."""
    before = subject.now().get("dateUpdated")
    subject.time.sleep(1.1)  # a date that GHL cuts to the second would look unmoved
    result = act()
    after = subject.now().get("dateUpdated")
    return before != after, result


_MOVES = {True: "it moves dateUpdated", False: "it does not move dateUpdated"}


def _tag(subject: Subject) -> tuple[str, str]:
    spaced = f" {subject.trail.tag} "
    moved, _ = _moved(
        subject, lambda: tags.change(subject.api, subject.contact, [spaced], change="add")
    )
    stored = [str(tag) for tag in subject.now().get("tags") or []]
    answer = "yes" if moved else "no"
    form = _form(stored, subject.trail.tag)
    return f"{_MOVES[moved]}; it is stored {form}", f'tags_move_date = "{answer}"'


def _form(stored: Iterable[str], sent: str) -> str:
    values = list(stored)
    if sent in values:
        return "as sent, trimmed"
    if sent.lower() in values:
        return "in lower case, trimmed"
    return "in another form" if values else "not at all"


def _task(subject: Subject) -> tuple[str, str]:
    fields: dict[str, Json] = {"title": "Probe", "body": _BODY, "dueDate": _DUE}
    moved, created = _moved(
        subject, lambda: children.create(subject.api, Entity.TASK, subject.contact, fields)
    )
    stored = children.get(subject.api, Entity.TASK, subject.contact, str(created["id"])) or {}
    due = _shape(stored.get("dueDate"))
    return f"{_MOVES[moved]}; {_body(stored)}; the due date comes back as {due}", ""


def _note(subject: Subject) -> tuple[str, str]:
    moved, created = _moved(
        subject, lambda: children.create(subject.api, Entity.NOTE, subject.contact, {"body": _BODY})
    )
    stored = children.get(subject.api, Entity.NOTE, subject.contact, str(created["id"])) or {}
    return f"{_MOVES[moved]}; {_body(stored)}", ""


def _many_notes(subject: Subject) -> tuple[str, str]:
    for number in range(101):
        children.create(subject.api, Entity.NOTE, subject.contact, {"body": f"Probe {number}"})
    count = len(children.of_contact(subject.api, Entity.NOTE, subject.contact))
    if count > 100:
        return "no, all came", ""
    return f"yes, {count} came of more than 100: do not map notes", ""


def _body(stored: Mapping[str, Any]) -> str:
    body = str(stored.get("body") or "")
    if body == _BODY:
        return "its body comes back as sent"
    codec = RichText()
    if codec.decode([body], Side.GHL) == codec.decode([_BODY], Side.GHL):
        return "its body comes back with other markup, which compares as equal"
    return 'its body comes back changed beyond markup: keep its field one-way, flow = "app->ghl"'


def _shape(value: object) -> str:
    if value == _DUE:
        return "sent"
    return "another form of the moment"


def _task_page(subject: Subject) -> tuple[str, str]:
    try:
        page = children.search(subject.api, Entity.TASK, limit=_TASKS_ASKED, skip=0)
    except ConnectorError as failed:
        return f"{_TASKS_ASKED} at once are refused ({failed.code})", "task_page = 100"
    if len(page) > 100:
        return (
            f"{len(page)} came at once when {_TASKS_ASKED} were asked for",
            f"task_page = {min(len(page), _TASKS_ASKED)}",
        )
    return f"{_TASKS_ASKED} may be asked for; {len(page)} came, too few to say more", ""


def _deleted_tasks(subject: Subject) -> tuple[str, str]:
    created = children.create(
        subject.api, Entity.TASK, subject.contact, {"title": "Probe, deleted", "dueDate": _DUE}
    )
    children.delete(subject.api, Entity.TASK, subject.contact, str(created["id"]))
    rows = children.search(subject.api, Entity.TASK, limit=100, skip=0, contacts=(subject.contact,))
    if any(row.head.key == created["id"] for row in rows):
        return "yes, marked as deleted or late to go", ""
    return "no", ""


def _clearing(subject: Subject) -> tuple[str, str]:
    by_null = _cleared(subject, list(subject.standard), lambda name: {name: None}, dict.get)
    rest = [name for name in subject.standard if name not in by_null]
    by_empty = _cleared(subject, rest, lambda name: {name: ""}, dict.get)
    return _clearing_words(subject.standard, by_null, by_empty)


def _clearing_words(names: Iterable[str], by_null: set[str], by_empty: set[str]) -> tuple[str, str]:
    ways = {
        "null clears": sorted(by_null),
        "an empty text clears": sorted(by_empty),
        "nothing clears": sorted(set(names) - by_null - by_empty),
    }
    said = "; ".join(f"{way} {', '.join(which)}" for way, which in ways.items() if which)
    setting = ""
    if by_null:
        setting = 'clear_with = "null"'
    if len(by_empty) > len(by_null):
        setting = 'clear_with = "empty"'
    return said, setting


def _cleared(
    subject: Subject,
    names: Iterable[str],
    body: Callable[[str], dict[str, Json]],
    value_of: Callable[[dict[str, Any], str], Any],
) -> set[str]:
    """The names that are blank after a write of their own each."""
    tried = set()
    for name in names:
        try:
            contacts.update(subject.api, subject.contact, body(name))
        except ConnectorError:
            continue
        tried.add(name)
    now = subject.now()
    return {name for name in tried if value_of(now, name) in (None, "", [])}


def _custom_clearing(subject: Subject) -> tuple[str, str]:
    by_type = {one.info.type: one for one in subject.custom.values() if one.info.writable}
    if not by_type:
        return "the location has no custom fields", ""
    chosen: dict[str, CustomField] = {str(kind): one for kind, one in by_type.items()}
    spelled = subject.api.dialect.custom_value

    def write(kind: str, value: Json) -> dict[str, Json]:
        return {"customFields": [{"id": chosen[kind].id, spelled: value}]}

    def value_of(now: dict[str, Any], kind: str) -> Any:
        items = now.get("customFields") or []
        key = chosen[kind].id
        return next((item.get("value") for item in items if item.get("id") == key), None)

    unset = _cleared(subject, chosen, lambda kind: write(kind, _sample(chosen[kind])), value_of)
    usable = [kind for kind in chosen if kind not in unset]
    by_null = _cleared(subject, usable, lambda kind: write(kind, None), value_of)
    rest = [kind for kind in usable if kind not in by_null]
    by_empty = _cleared(subject, rest, lambda kind: write(kind, ""), value_of)
    return _clearing_words(usable, by_null, by_empty)


def _sample(one: CustomField) -> Json:
    if one.info.choices:
        first = one.info.choices[0]
        if one.info.type == "json":
            return [first]
        return first
    return _BY_TYPE.get(one.info.type, "probe")


def _order(subject: Subject) -> tuple[str, str]:
    body: dict[str, Json] = {"locationId": subject.api.location, "pageLimit": 20}
    page = subject.api.call("contact.search", body=body).json().get("contacts") or []
    for name in ("dateAdded", "dateUpdated"):
        moments = [str(one.get(name)) for one in page]
        if len(set(moments)) <= 2:  # two moments are in some order by chance
            continue
        oldest_first = sorted(moments)
        asks = "(the job always asks for dateAdded, oldest first)"
        if moments == oldest_first:
            return f"by {name}, oldest first {asks}", ""
        if moments == oldest_first[::-1]:
            return f"by {name}, newest first {asks}", ""
    return "by neither dateAdded nor dateUpdated, or too few contacts to tell", ""
