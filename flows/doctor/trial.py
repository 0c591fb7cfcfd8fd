"""The single questions of a probe.

Each does one small thing to the throw-away contact and looks at what became of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.ghl import children, contacts, tags
from connectors.ghl.api import Api
from connectors.ghl.schema import CustomField
from reconcile.errors import ConnectorError
from reconcile.model import Entity, Side
from reconcile.ports import Json
from reconcile.values.codecs import RichText

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


@dataclass(frozen=True, slots=True)
class Subject:
    """The throw-away contact and what is needed to work on it."""

    api: Api
    contact: str
    email: str
    tag: str
    standard: Mapping[str, str]
    custom: Mapping[str, CustomField]
    made_at: float
    time: Time

    def now(self) -> dict[str, Any]:
        """The contact as it is now."""
        return contacts.get(self.api, self.contact) or {}


@dataclass(frozen=True, slots=True)
class Trial:
    """A question, and what finds its answer: (the answer, what it suggests)."""

    question: str
    run: Callable[[Subject], tuple[str, str]]


def trials(*, thorough: bool) -> tuple[Trial, ...]:
    """All questions, the quickest to go stale first; the costly one only where asked for."""
    costly = (
        (Trial("Does reading a contact's notes stop at 100?", _many_notes),) if thorough else ()
    )
    return (
        Trial("How long does the search index trail a write?", _lag),
        Trial("Does GHL change the case of an email?", _email_case),
        Trial("Does a tag move dateUpdated, and how are tags stored?", _tag),
        Trial("Does a task move dateUpdated, and does its body come back as sent?", _task),
        Trial("Does a note move dateUpdated, and does its body come back as sent?", _note),
        Trial("How many tasks does one page of tasks/search take?", _task_page),
        Trial("Does tasks/search show deleted tasks?", _deleted_tasks),
        Trial("What clears a field: null or an empty text?", _clearing),
        Trial("What clears a custom field, by type?", _custom_clearing),
        Trial("In which order does /contacts/search answer when not told?", _order),
        *costly,
    )


def _lag(subject: Subject) -> tuple[str, str]:
    while True:
        found = contacts.find(subject.api, subject.email)
        passed = subject.time.clock() - subject.made_at
        if any(one.get("id") == subject.contact for one in found):
            return (
                f"the new contact was found after {passed:.0f} s",
                f"lag_seconds = {max(60, round(3 * passed))}",
            )
        if passed > _LAG_SECONDS:
            return f"the new contact was not found within {_LAG_SECONDS:.0f} s", "lag_seconds = 300"
        subject.time.sleep(_LOOK_EVERY)


def _email_case(subject: Subject) -> tuple[str, str]:
    stored = subject.now().get("email")
    return (
        "no, it is stored as sent" if stored == subject.email else "yes, it is stored in lower case"
    ), ""


def _moved(subject: Subject, act: Callable[[], Any]) -> tuple[str, Any]:
    before = subject.now().get("dateUpdated")
    subject.time.sleep(1.1)
    done = act()
    after = subject.now().get("dateUpdated")
    return ("it moves dateUpdated" if before != after else "it does not move dateUpdated"), done


def _tag(subject: Subject) -> tuple[str, str]:
    said, _ = _moved(
        subject,
        lambda: tags.change(subject.api, subject.contact, [f" {subject.tag} "], change="add"),
    )
    stored = [str(tag) for tag in subject.now().get("tags") or []]
    return f"{said}; it is stored {_form(stored, subject.tag)}", ""


def _form(stored: Iterable[str], sent: str) -> str:
    held = list(stored)
    if sent in held:
        return "as sent, trimmed"
    if sent.lower() in held:
        return "in lower case, trimmed"
    return f"in another form ({', '.join(held) or 'not at all'})"


def _task(subject: Subject) -> tuple[str, str]:
    fields: dict[str, Json] = {"title": "Probe", "body": _BODY, "dueDate": _DUE}
    said, made = _moved(
        subject, lambda: children.create(subject.api, Entity.TASK, subject.contact, fields)
    )
    stored = children.get(subject.api, Entity.TASK, subject.contact, str(made["id"])) or {}
    return (
        f"{said}; {_body(stored)}; the due date comes back as {_shape(stored.get('dueDate'))}",
        "",
    )


def _note(subject: Subject) -> tuple[str, str]:
    said, made = _moved(
        subject, lambda: children.create(subject.api, Entity.NOTE, subject.contact, {"body": _BODY})
    )
    stored = children.get(subject.api, Entity.NOTE, subject.contact, str(made["id"])) or {}
    return f"{said}; {_body(stored)}", ""


def _many_notes(subject: Subject) -> tuple[str, str]:
    for number in range(101):
        children.create(subject.api, Entity.NOTE, subject.contact, {"body": f"Probe {number}"})
    found = len(children.of_contact(subject.api, Entity.NOTE, subject.contact))
    return (
        "no, all came" if found > 100 else f"yes, {found} came of more than 100: do not map notes"
    ), ""


def _body(stored: Mapping[str, Any]) -> str:
    body = str(stored.get("body") or "")
    if body == _BODY:
        return "its body comes back as sent"
    codec = RichText()
    if codec.decode([body], Side.GHL) == codec.decode([_BODY], Side.GHL):
        return "its body comes back with other markup, which compares as equal"
    return 'its body comes back changed beyond markup: keep its field one-way, flow = "app->ghl"'


def _shape(value: object) -> str:
    return "sent" if value == _DUE else f"another form of the moment ({value})"


def _task_page(subject: Subject) -> tuple[str, str]:
    try:
        found = children.search(subject.api, Entity.TASK, limit=_TASKS_ASKED, skip=0)
    except ConnectorError as failed:
        return f"{_TASKS_ASKED} at once are refused ({failed.what})", "task_page = 100"
    if len(found) > 100:
        return (
            f"{len(found)} came at once when {_TASKS_ASKED} were asked for",
            f"task_page = {min(len(found), _TASKS_ASKED)}",
        )
    return f"{_TASKS_ASKED} may be asked for; {len(found)} came, too few to say more", ""


def _deleted_tasks(subject: Subject) -> tuple[str, str]:
    made = children.create(
        subject.api, Entity.TASK, subject.contact, {"title": "Probe, deleted", "dueDate": _DUE}
    )
    children.delete(subject.api, Entity.TASK, subject.contact, str(made["id"]))
    found = children.search(
        subject.api, Entity.TASK, limit=100, skip=0, contacts=(subject.contact,)
    )
    shown = any(row.head.key == made["id"] for row in found)
    return ("yes, marked as deleted or late to go" if shown else "no"), ""


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
    return said, 'clear_with = "empty"' if len(by_empty) > len(
        by_null
    ) else 'clear_with = "null"' if by_null else ""


def _cleared(
    subject: Subject,
    names: Iterable[str],
    body: Callable[[str], dict[str, Json]],
    held: Callable[[dict[str, Any], str], Any],
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
    return {name for name in tried if held(now, name) in (None, "", [])}


def _custom_clearing(subject: Subject) -> tuple[str, str]:
    chosen = {one.info.type: one for one in subject.custom.values() if one.info.writable}
    by_key = {one.key: one for one in chosen.values()}
    if not by_key:
        return "the location has no custom fields", ""
    spelled = subject.api.dialect.custom_value

    def write(key: str, value: Json) -> dict[str, Json]:
        return {"customFields": [{"id": by_key[key].id, spelled: value}]}

    def held(now: dict[str, Any], key: str) -> Any:
        items = now.get("customFields") or []
        return next((item.get("value") for item in items if item.get("id") == by_key[key].id), None)

    unset = _cleared(subject, by_key, lambda key: write(key, _sample(by_key[key])), held)
    usable = [key for key in by_key if key not in unset]
    by_null = _cleared(subject, usable, lambda key: write(key, None), held)
    by_empty = _cleared(
        subject, [key for key in usable if key not in by_null], lambda key: write(key, ""), held
    )
    return _clearing_words(usable, by_null, by_empty)


def _sample(one: CustomField) -> Json:
    if one.info.choices:
        first = one.info.choices[0]
        return [first] if one.info.type == "json" else first
    return _BY_TYPE.get(one.info.type, "probe")


def _order(subject: Subject) -> tuple[str, str]:
    body: dict[str, Json] = {"locationId": subject.api.location, "pageLimit": 20}
    page = subject.api.call("contact.search", body=body).json().get("contacts") or []
    for name in ("dateAdded", "dateUpdated"):
        moments = [str(one.get(name)) for one in page]
        if len(set(moments)) > 2 and moments in (sorted(moments), sorted(moments, reverse=True)):
            way = "oldest" if moments == sorted(moments) else "newest"
            return f"by {name}, {way} first (the job always asks for dateAdded, oldest first)", ""
    return "by neither dateAdded nor dateUpdated, or too few contacts to tell", ""
