"""`doctor --probe`: finds out on the location itself what nobody could confirm.

It does so with a throw-away contact, and cleans up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.ghl import children, contacts, schema, tags
from connectors.ghl.api import Api
from flows.config import Pair, require_live
from flows.doctor.trial import REAL_TIME, Subject, Time, Trial, trials
from flows.wiring.wiring import connect_ghl
from reconcile.entities import OWNER
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

UNANSWERED = (
    ("What does the id of a merged-away contact return?", "only a person can merge, in GHL itself"),
    ("Does a restored contact keep its id?", "only a person can restore, in GHL itself"),
    ("What does a 429 say?", "a probe does not use up the quota of a live location"),
    ("How many contacts does one bulk tag request take?", "a probe makes one contact only"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out.

    The question, the answer as a sentence, and what it suggests to write in the pair file.
    """

    question: str
    answer: str
    suggests: str = ""


@dataclass(slots=True)
class _Made:
    """What the probe made and must take away again."""

    email: str
    tag: str
    contact: str | None = None
    left: list[str] = field(default_factory=list)


def probe(
    pair: Pair,
    confirm: Callable[[str], bool],
    *,
    time: Time = REAL_TIME,
    auth: Auth | None = None,
    thorough: bool = False,
) -> list[Answer]:
    """Try on the pair's location what is unknown of GHL (docs/ghl.md), and say what was found.

    It makes one contact for that, and deletes it.

    `confirm` is asked first, with a sentence that says what will be done. `thorough` also makes 101
    notes, to see whether reading them stops at 100. `auth` is needed where the pair says oauth.
    Raises Refused where it says no or the location is not live, ConnectorError where the contact
    cannot even be made.
    """
    require_live(pair)
    question = (
        f"This makes one contact named Reconcile Probe in location {pair.ghl.location}, "
        "with a task, a note and a tag, and deletes it all at the end. "
        "Workflows that start on new contacts, tags or tasks will start for it. Go on?"
    )
    if not confirm(question):
        raise Refused(
            "the probe was not confirmed, nothing was written", remedy="Run it again and confirm."
        )
    word = secrets.token_hex(4)
    with connect_ghl(pair.ghl, auth=auth) as connector:
        made = _Made(f"Reconcile.Probe.{word}@example.com", f"Reconcile-Probe-{word}")
        return _run(connector.api, made, time, trials(thorough=thorough))


def _run(api: Api, made: _Made, time: Time, asked: Iterable[Trial]) -> list[Answer]:
    found: list[Answer] = []
    try:
        subject = _subject(api, made, time)
        found += [_answered(trial, subject) for trial in asked]
    finally:
        cleaned = list(_clean_up(api, made))
    return [
        *found,
        *(Answer(question, f"not tried: {why}") for question, why in UNANSWERED),
        *cleaned,
    ]


def _subject(api: Api, made: _Made, time: Time) -> Subject:
    created = contacts.create(api, {**_STANDARD, "email": made.email})
    made.contact = str(created["id"])
    return Subject(
        api=api,
        contact=made.contact,
        email=made.email,
        tag=made.tag,
        standard=_STANDARD,
        custom={one.key: one for one in schema.custom_fields(api)},
        made_at=time.clock(),
        time=time,
    )


def _answered(trial: Trial, subject: Subject) -> Answer:
    try:
        answer, suggests = trial.run(subject)
    except ConnectorError as failed:
        return Answer(trial.question, f"could not be found out: {failed.what}")
    return Answer(trial.question, answer, suggests)


def _clean_up(api: Api, made: _Made) -> Iterator[Answer]:
    """Delete what was made.

    A create whose answer was lost is looked for by its email, which nobody else has.
    """
    steps = (("the contact", _delete_contact), ("the tag", _delete_tag))
    for what, step in steps:
        try:
            step(api, made)
        except ConnectorError as failed:
            made.left.append(f"{what} ({failed.what})")
    if made.left:
        name = f"{made.email}, tag {made.tag.lower()}"
        yield Answer(
            "Is everything cleaned up?",
            f"no: {'; '.join(made.left)}",
            f"Delete by hand in GHL: {name}.",
        )
    else:
        yield Answer(
            "Is everything cleaned up?",
            "yes, the contact, its task, its note and the tag are deleted",
        )


def _delete_contact(api: Api, made: _Made) -> None:
    if made.contact is None:
        found = contacts.duplicate(api, email=made.email)
        made.contact = str(found["id"]) if found else None
    if made.contact is None:
        return
    for kind in reversed(OWNER.children):
        for row in children.of_contact(api, kind, made.contact):
            children.delete(api, kind, made.contact, row.head.key)
    contacts.delete(api, made.contact)
    if contacts.get(api, made.contact) is not None:
        made.left.append("the contact is still there")


def _delete_tag(api: Api, made: _Made) -> None:
    for tag in tags.dictionary(api):
        if str(tag.get("name", "")).lower() == made.tag.lower():
            tags.undefine(api, str(tag["id"]))
