"""`doctor --probe`: finds out on the location itself what nobody could confirm.

It does so with throw-away records, and cleans up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from connectors.ghl import children, contacts, located, schema, tags
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from flows.config import Pair, require_live
from flows.doctor import consent_trials, kind_trials, trial
from flows.doctor.trial import REAL_TIME, Subject, Time, Trail, Trial
from flows.wiring.wiring import connect_ghl
from reconcile.entities import OWNER, Entity
from reconcile.errors import ConnectorError, Refused

if TYPE_CHECKING:
    from connectors.http import Auth

_STANDARD: Mapping[str, str] = {
    "firstName": "Reconcile",
    "lastName": "Probe",
    "address1": "1 Probe Street",
    "city": "Probe City",
    "state": "PC",
    "postalCode": "00001",
    "country": "US",
    "website": "https://probe.example",
    "source": "ghl-reconcile probe",
    "companyName": "Probe & Co",
    "dateOfBirth": "1980-01-31",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out.

    The question, the answer as a sentence, what it suggests to write in the pair file, and the
    heading of docs/ghl.md that it is about. It holds no id, no value and no token.
    """

    question: str
    answer: str
    fact: str
    suggests: str = ""


UNANSWERED = (
    Answer(
        "What does the id of a merged-away contact return?",
        "not tried: only a person can merge, in GHL itself",
        "merging",
    ),
    Answer(
        "Does a restored contact keep its id?",
        "not tried: only a person can restore, in GHL itself",
        "deletion",
    ),
    Answer(
        "Does a calendar's list go by the start, and what is said of one that is gone?",
        "not tried: an appointment reminds its person, and takes a time of somebody's calendar",
        "appointments",
    ),
    Answer(
        "What does a 429 say?",
        "not tried: a probe does not use up the quota of a live location",
        "rate-limits",
    ),
    Answer(
        "How many contacts does one bulk tag request take?",
        "not tried: a probe makes two contacts only",
        "tags",
    ),
    Answer(
        "Which contact does search show of a task that has several?",
        "not tried: only a person can link a task to several, in GHL itself",
        "tasks",
    ),
)


@dataclass(frozen=True, slots=True)
class Probed:
    """The sheet, which can be shared, and for a person what could not be taken away again."""

    answers: tuple[Answer, ...]
    left: tuple[str, ...]


def questions(*, thorough: bool) -> tuple[Trial, ...]:
    """All that a probe asks, in the order in which it does."""
    return (*trial.trials(thorough=thorough), *kind_trials.trials(), *consent_trials.trials())


def probe(
    pair: Pair,
    confirm: Callable[[str], bool],
    *,
    time: Time = REAL_TIME,
    auth: Auth | None = None,
    thorough: bool = False,
) -> Probed:
    """Try on the pair's location what is unknown of GHL (docs/ghl.md), and say what was found.

    It makes records of its own for that, and deletes them, also where it fails half-way.

    `confirm` is asked first, with a sentence that says what will be done. `thorough` also makes 101
    notes, to see whether reading them stops at 100. `auth` is needed where the pair says oauth.
    Raises Refused where it says no or the location is not live, ConnectorError where the contact
    cannot even be made.
    """
    require_live(pair)
    question = (
        f"This makes two contacts named Reconcile in location {pair.ghl.location}, with a task, "
        "a note, a tag, companies and opportunities, and deletes it all at the end. "
        "Workflows that start on any of these will start for them. Go on?"
    )
    if not confirm(question):
        raise Refused(
            "the probe was not confirmed, nothing was written", remedy="Run it again and confirm."
        )
    word = secrets.token_hex(4)
    trail = Trail(
        f"Reconcile.Probe.{word}@example.com",
        f"Reconcile.Other.{word}@example.com",
        f"Reconcile-Probe-{word}",
        f"Reconcile Probe {word}",
    )
    with connect_ghl(pair.ghl, auth=auth) as connector:
        return _run(connector.api, trail, time, questions(thorough=thorough))


def _run(api: Api, trail: Trail, time: Time, trials: Iterable[Trial]) -> Probed:
    answers: list[Answer] = []
    try:
        subject = _subject(api, trail, time)
        answers += [_answered(each, subject) for each in trials]
    finally:
        left = tuple(_clean_up(api, trail))
    return Probed((*answers, *UNANSWERED), left)


def _subject(api: Api, trail: Trail, time: Time) -> Subject:
    created = contacts.create(api, {**_STANDARD, "email": trail.email})
    trail.contacts[trail.email] = str(created["id"])
    return Subject(
        api=api,
        contact=trail.contacts[trail.email],
        trail=trail,
        standard=_STANDARD,
        custom={one.key: one for one in schema.custom_fields(api)},
        made_at=time.clock(),
        time=time,
    )


def _answered(question: Trial, subject: Subject) -> Answer:
    try:
        answer, suggests = question.run(subject)
    except ConnectorError as failed:
        # What the side says may hold ids and values; its code holds none.
        answer, suggests = f"could not be found out ({failed.code})", ""
    return Answer(question.question, answer, question.fact, suggests)


def _clean_up(api: Api, trail: Trail) -> Iterator[str]:
    """Delete what was made; what could not be, by the name under which a person finds it.

    Each is tried, whatever became of the others. A create whose answer was lost is looked for by
    its name, which nobody else has.
    """
    for what, step in _steps(api, trail):
        try:
            gone = step()
        except ConnectorError as failed:
            yield f"{what} ({failed.code})"
        else:
            if not gone:
                yield f"{what}, which is still there"


def _steps(api: Api, trail: Trail) -> Iterator[tuple[str, Callable[[], bool]]]:
    """What hangs on something goes before it."""
    for kind, key in trail.records:
        yield f"the {kind} of {trail.company}", partial(_record, api, kind, key)
    for kind in sorted(trail.tried):
        if kind.parent is None:
            yield f"{kind.plural} named {trail.company}", partial(_named, api, kind, trail.company)
    for email in (trail.email, trail.other):
        yield f"what hangs on {email}", partial(_children, api, trail, email)
        yield f"the contact {email}", partial(_contact, api, trail, email)
    yield f"the tag {trail.tag.lower()}", partial(_tag, api, trail.tag)


def _record(api: Api, kind: Entity, key: str) -> bool:
    if kind.parent is None:
        located.delete(api, kind, key)
    else:
        children.delete(api, kind, "", key)
    return True


def _named(api: Api, kind: Entity, name: str) -> bool:
    for key, called in list(located.names(api, kind)):
        if called.startswith(name):
            located.delete(api, kind, key)
    return True


def _key(api: Api, trail: Trail, email: str) -> str | None:
    if email not in trail.contacts:
        row = contacts.duplicate(api, email=email)
        if row is None:
            return None
        trail.contacts[email] = str(row["id"])
    return trail.contacts[email]


def _children(api: Api, trail: Trail, email: str) -> bool:
    if (contact := _key(api, trail, email)) is not None:
        for kind in reversed(OWNER.children):
            if not GHL[kind].apart or kind in trail.tried:
                for row in children.of_contact(api, kind, contact):
                    children.delete(api, kind, contact, row.head.key)
    return True


def _contact(api: Api, trail: Trail, email: str) -> bool:
    if (contact := _key(api, trail, email)) is None:
        return True
    contacts.delete(api, contact)
    return contacts.get(api, contact) is None


def _tag(api: Api, name: str) -> bool:
    for tag in tags.dictionary(api):
        if str(tag.get("name", "")).strip().lower() == name.lower():
            tags.undefine(api, str(tag["id"]))
    return True
