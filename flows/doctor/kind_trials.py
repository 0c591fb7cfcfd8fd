"""The single questions of a probe about companies and opportunities.

A probe makes and deletes each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from connectors.ghl import apart, children, contacts, located
from connectors.ghl.pipelines import Pipelines
from flows.doctor.trial import Subject, Trial
from reconcile.errors import ConnectorError, Duplicate, InvalidField, Unnamed
from reconcile.model import Entity
from reconcile.ports import Json

COMPANY, DEAL = Entity.COMPANY, Entity.OPPORTUNITY
_NO_PIPELINE = ("not tried: the location has no pipeline", "")


def trials() -> tuple[Trial, ...]:
    """Each makes what it needs, and none relies on another."""
    companies, deals = "companies", "opportunities"
    return (
        Trial("Does the list of companies trail a write?", _listed, companies),
        Trial("Does an empty text clear a company's field?", _emptied, companies),
        Trial("What becomes of a deleted company's contacts?", _unlinked, companies),
        Trial("Is a contact's second opportunity in a pipeline refused?", _second, deals),
        Trial("In which stage does a move to a pipeline alone end?", _moved, deals),
        Trial("What does GHL answer for an opportunity that is gone?", _gone, deals),
        Trial("Does POST /opportunities/search say how to go on?", _cursor, deals),
    )


def _company(subject: Subject) -> str:
    name = f"{subject.trail.company} {len(subject.trail.records)}"
    subject.trail.tried.add(COMPANY)
    created = located.create(subject.api, COMPANY, {"name": name, "city": "Probe City"})
    key = str(created["id"])
    subject.trail.records.append((COMPANY, key))
    return key


def _listed(subject: Subject) -> tuple[str, str]:
    key = _company(subject)
    if any(row.head.key == key for rows in located.every(subject.api, COMPANY) for row in rows):
        return "no, the new one was there at once", ""
    return "yes, the new one was not there yet", ""


def _emptied(subject: Subject) -> tuple[str, str]:
    key = _company(subject)
    try:
        located.update(subject.api, COMPANY, key, {"city": ""})
    except InvalidField:
        return "no, it is refused", 'blank = "keep"'
    stored = located.get(subject.api, COMPANY, key) or {}
    if stored.get("city"):
        return ("no, the value stays", 'blank = "keep"')
    return ("yes", "")


def _unlinked(subject: Subject) -> tuple[str, str]:
    key = _company(subject)
    contacts.link_business(subject.api, [subject.contact], key)
    if subject.now().get("businessId") != key:
        return "the contact could not be linked to one", "leave businessId out of the pair file"
    located.delete(subject.api, COMPANY, key)
    subject.trail.records.remove((COMPANY, key))
    left = subject.now().get("businessId")
    return ("they keep its id" if left == key else "they have no company any more"), ""


def _pipelines(subject: Subject, least: int = 1) -> list[str]:
    """Names of pipelines that one alone has and that have a stage; none where there are too few."""
    known: Pipelines = subject.api.pipelines()
    names = [each.name for each in known.listed if each.stages]
    alone = [name for name in names if names.count(name) == 1]
    return alone if len(alone) >= least else []


def _deal(subject: Subject, pipeline: str) -> str:
    """A new opportunity of the throw-away contact, the one before it deleted."""
    for record in [each for each in subject.trail.records if each[0] is DEAL]:
        children.delete(subject.api, DEAL, subject.contact, record[1])
        subject.trail.records.remove(record)
    fields: dict[str, Json] = {"name": subject.trail.company, "pipeline": pipeline}
    subject.trail.tried.add(DEAL)
    created = children.create(subject.api, DEAL, subject.contact, fields)
    key = str(created["id"])
    subject.trail.records.append((DEAL, key))
    return key


def _with_pipeline(
    trial: Callable[[Subject, str], tuple[str, str]], subject: Subject
) -> tuple[str, str]:
    names = _pipelines(subject)
    if names:
        return trial(subject, names[0])
    return _NO_PIPELINE


def _second(subject: Subject) -> tuple[str, str]:
    return _with_pipeline(_second_in, subject)


def _second_in(subject: Subject, pipeline: str) -> tuple[str, str]:
    _deal(subject, pipeline)
    fields: dict[str, Json] = {"name": f"{subject.trail.company} 2", "pipeline": pipeline}
    try:
        created = children.create(subject.api, DEAL, subject.contact, fields)
    except Duplicate:
        return "yes, as a duplicate", ""
    subject.trail.records.append((DEAL, str(created["id"])))
    return "no, a contact may have several", ""


def _moved(subject: Subject) -> tuple[str, str]:
    """By the id of the pipeline alone: the product itself sends the stage along."""
    known = {each.name: each for each in subject.api.pipelines().listed}
    pairs = [
        (known[one], known[other])
        for one in _pipelines(subject, 2)
        for other in _pipelines(subject, 2)
        if one != other and known[one].stages[0].name in [s.name for s in known[other].stages[1:]]
    ]
    if not pairs:
        return "not tried: no two pipelines share a stage that is not the first of both", ""
    before, after = pairs[0]
    key = _deal(subject, before.name)
    answer = subject.api.call(
        f"{DEAL}.update", {DEAL.value: key}, body={"pipelineId": after.id}
    ).json()
    stage = (answer.get(DEAL.value) or {}).get("pipelineStageId")
    if stage == after.stages[0].id:
        return "in the first", ""
    named = {each.id: each.name for each in after.stages}
    same = named.get(str(stage)) == before.stages[0].name
    return ("in the one of the same name" if same else "in another one"), ""


def _gone(subject: Subject) -> tuple[str, str]:
    return _with_pipeline(_gone_from, subject)


def _gone_from(subject: Subject, pipeline: str) -> tuple[str, str]:
    key = _deal(subject, pipeline)
    try:
        subject.api.call(f"{DEAL}.delete", {DEAL.value: key})
        subject.trail.records.remove((DEAL, key))
        if children.get(subject.api, DEAL, subject.contact, key) is None:
            return '"not found", by its id', ""
    except Unnamed:
        return '"not found" without its id: what is missing stays an open question', ""
    except ConnectorError as failed:
        return f"something else ({failed.code}): what is missing stays an open question", ""
    return "it can still be read", ""


def _cursor(subject: Subject) -> tuple[str, str]:
    rows = apart.first(subject.api, DEAL)
    names = [name for name in ("searchAfter", "sort") if rows and rows[0].get(name)]
    if not rows:
        return "it found nothing to tell by", ""
    return (f"yes, each row has {names[0]}" if names else "no, no row has a cursor"), ""
