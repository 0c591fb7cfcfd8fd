"""Opportunities and pipelines of a location (docs/ghl.md#opportunities)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import WRONG_LOCATION, Answer, Refusal, invalid, not_found
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.dto import (
    CREATE_OPPORTUNITY,
    OPPORTUNITY_STATUS,
    SEARCH_OPPORTUNITIES,
    UPDATE_OPPORTUNITY,
)
from connectors.ghl.sandbox.instants import iso
from connectors.ghl.sandbox.nouns import Opportunity, Pipeline, Row
from connectors.ghl.sandbox.state import State
from connectors.ghl.sandbox.writing import Writer

STATUSES = ("open", "won", "lost", "abandoned")
WIRE = {
    "name": "name",
    "pipelineId": "pipeline_id",
    "pipelineStageId": "stage_id",
    "status": "status",
    "monetaryValue": "value",
    "assignedTo": "assigned_to",
}
LIST_MAX, SEARCH_MAX = 100, 500
DUPLICATE = "Can not create duplicate opportunity for the contact."


def pipelines(call: Call) -> Answer:
    """GET /opportunities/pipelines?locationId=."""
    location = call.location(call.query.get("locationId"))
    live = call.state.live(Pipeline, location.id)
    return Answer(200, {"pipelines": [_pipeline(one) for one in live]})


def _pipeline(pipeline: Pipeline) -> Row:
    stages = [
        {"id": key, "name": name, "position": at} for at, (key, name) in enumerate(pipeline.stages)
    ]
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "stages": stages,
        "locationId": pipeline.location_id,
    }


def listed(call: Call) -> Answer:
    """GET /opportunities/search: 20 by default, 100 at most, newest first unless asked.

    Its parameters are in snake case in v2 and in camelCase in v3. The cursor takes both halves;
    with one of them alone it is page one again, as in the old list of contacts.
    """
    v3 = call.version == "v3"
    location = call.location(call.query.get("locationId" if v3 else "location_id"))
    matches = _wanted(call, location.id)
    if call.query.get("order", "added_desc") == "added_desc":
        matches.reverse()
    limit = call.number("limit", 20, LIST_MAX)
    start = (call.number("page", 1, 10_000) - 1) * limit
    after, after_id = call.query.get("startAfter"), call.query.get("startAfterId")
    if after and after.isdigit() and after_id:
        start = _after(matches, (int(after), after_id))
    page = matches[start : start + limit]
    meta = _meta(call, page, len(matches), start, limit)
    items = [_search_item(call.state, one) for one in page]
    return Answer(200, {"opportunities": items, "meta": meta, "aggregations": {}})


def _after(opportunities: Sequence[Opportunity], last: tuple[int, str]) -> int:
    """The place behind the one that the cursor names, or behind where it would stand."""
    keys = [(one.added, one.id) for one in opportunities]
    descending = len(keys) > 1 and keys[0] > keys[-1]
    return sum(key >= last if descending else key <= last for key in keys)


_FILTERS = {
    "pipeline_id": ("pipeline_id", "pipelineId"),
    "stage_id": ("pipeline_stage_id", "pipelineStageId"),
    "contact_id": ("contact_id", "contactId"),
    "assigned_to": ("assigned_to", "assignedTo"),
    "status": ("status", "status"),
    "id": ("id", "id"),
}
"""The parameter of each attribute, in v2 and in v3."""


def _wanted(call: Call, location_id: str) -> list[Opportunity]:
    at = int(call.version == "v3")
    wanted = {attr: call.query.get(names[at]) for attr, names in _FILTERS.items()}
    if wanted["status"] == "all":
        wanted["status"] = None
    return [
        one
        for one in _standing(call.state, location_id, call.query.get("q", ""))
        if all(not value or value == getattr(one, attr) for attr, value in wanted.items())
    ]


def _standing(state: State, location_id: str, text: str) -> list[Opportunity]:
    """What search knows, without those whose contact is deleted."""
    part = text.strip().casefold()
    return [
        one
        for one in state.indexed_opportunities(location_id)
        if not state.contacts[one.contact_id].deleted and part in one.name.casefold()
    ]


def _meta(call: Call, page: Sequence[Opportunity], total: int, start: int, limit: int) -> Row:
    meta: Row = {"total": total, "currentPage": start // limit + 1 if limit else 1}
    if not page:
        return meta
    cursor = {"startAfter": page[-1].added, "startAfterId": page[-1].id}
    query = {name: value for name, value in call.query.items() if name not in cursor}
    if start + len(page) < total:
        url = f"/opportunities/search?{urlencode({**query, **cursor})}"
        meta |= {"nextPageUrl": url, "nextPage": meta["currentPage"] + 1}
    return {**meta, **cursor}


def searched(call: Call) -> Answer:
    """POST /opportunities/search: 500 at most, by page or by the last item's `searchAfter`."""
    body = call.checked(SEARCH_OPPORTUNITIES)
    location = call.location(body["locationId"])
    matches = _standing(call.state, location.id, body.get("query", ""))
    limit = min(int(body["limit"]), SEARCH_MAX)
    start = max(int(body.get("page", 1)) - 1, 0) * limit
    match body.get("searchAfter"):
        case [added, key] if str(added).isdigit():
            start = _after(matches, (int(added), str(key)))
    page = matches[start : start + limit]
    items = [_search_item(call.state, one) for one in page]
    if call.state.settings.opportunity_cursor:
        for item, one in zip(items, page, strict=True):
            item["searchAfter"] = [str(one.added), one.id]
    return Answer(200, {"opportunities": items, "total": len(matches), "aggregations": {}})


def get(call: Call) -> Answer:
    """GET /opportunities/{id}."""
    return Answer(200, {"opportunity": shape(call.state, _opportunity(call))})


def create(call: Call) -> Answer:
    """POST /opportunities/: 201; a second one of a contact in a pipeline is refused by default."""
    body = call.checked(CREATE_OPPORTUNITY)
    location, now = call.location(body["locationId"]), call.state.now()
    contact = call.state.contact(body["contactId"])
    if contact.location_id != location.id:
        raise Refusal(403, WRONG_LOCATION)
    changes = _changes(call, location.id, body, None)
    _refuse_second(call.state, contact.id, changes["pipeline_id"])
    opportunity = Opportunity(
        id=call.state.new_id(),
        location_id=location.id,
        contact_id=contact.id,
        added=now,
        updated=now,
        staged=now,
        **changes,
    )
    created = call.state.put_opportunity(opportunity)
    return Answer(201, {"opportunity": shape(call.state, created)})


def update(call: Call) -> Answer:
    """PUT /opportunities/{id}: partial."""
    body, current = call.checked(UPDATE_OPPORTUNITY), _opportunity(call)
    changes = _changes(call, current.location_id, body, current)
    moved = changes.get("pipeline_id", current.pipeline_id) != current.pipeline_id
    if moved and call.state.settings.refuse_shared_updates:
        _refuse_second(call.state, current.contact_id, changes["pipeline_id"])
    return Answer(200, {"opportunity": shape(call.state, _save(call, current, changes))})


def set_status(call: Call) -> Answer:
    """PUT /opportunities/{id}/status: it does not say what the opportunity then is."""
    body, current = call.checked(OPPORTUNITY_STATUS), _opportunity(call)
    _save(
        call,
        current,
        {"status": _status(body["status"]), "lost_reason_id": body.get("lostReasonId")},
    )
    return Answer(200, _done(call.version))


def delete(call: Call) -> Answer:
    """DELETE /opportunities/{id}."""
    _save(call, _opportunity(call), {"deleted": True})
    return Answer(200, _done(call.version))


def _done(version: str) -> Row:
    if version == "v3":
        return {"succeded": True, "success": True}
    return shapes.done(version)


def _save(call: Call, current: Opportunity, changes: Mapping[str, Any]) -> Opportunity:
    updated = max(call.state.now(), current.updated + 1)
    moved = changes.get("stage_id", current.stage_id) != current.stage_id
    after = {**changes, "updated": updated}
    if moved:
        after["staged"] = updated
    return call.state.put_opportunity(msgspec.structs.replace(current, **after))


def _opportunity(call: Call) -> Opportunity:
    opportunity = call.state.opportunities.get(call.path["id"])
    if opportunity is not None and not call.reaches(opportunity.location_id):
        raise Refusal(403, WRONG_LOCATION)
    if opportunity is not None and not opportunity.deleted:
        contact = call.state.contacts[opportunity.contact_id]
        if not contact.deleted:
            return opportunity
    if not call.state.settings.names_gone:
        raise Refusal(400, "Opportunity not found")
    raise not_found("Opportunity", call.path["id"])


def _changes(
    call: Call, location_id: str, body: Mapping[str, Any], current: Opportunity | None
) -> dict[str, Any]:
    """The attributes that a body sets.

    A stage is one of its pipeline; without one it is the first.
    """
    changes = {attr: body[wire] for wire, attr in WIRE.items() if wire in body}
    writer = Writer(call.state, call.state.location(location_id))
    if "status" in changes:
        changes["status"] = _status(changes["status"])
    if "assigned_to" in changes:
        changes["assigned_to"] = writer.user(changes["assigned_to"], "assignedTo")
    if "customFields" in body:
        before = current.custom_fields if current else {}
        changes["custom_fields"] = writer.custom(body["customFields"], before)
    if "pipeline_id" in changes or "stage_id" in changes:
        place: dict[str, Any] = {"pipeline_id": "", "stage_id": None}
        if current:
            place = {"pipeline_id": current.pipeline_id, "stage_id": current.stage_id}
        place |= {name: changes[name] for name in place if name in changes}
        explicit = "stage_id" in changes
        changes["stage_id"] = _stage(call, location_id, **place, explicit=explicit)
    return changes


def _stage(
    call: Call, location_id: str, pipeline_id: str, stage_id: str | None, *, explicit: bool
) -> str:
    pipeline = call.state.store.table(Pipeline).get(pipeline_id)
    if pipeline is None or pipeline.deleted or pipeline.location_id != location_id:
        raise Refusal(400, f"The pipeline id {pipeline_id} is invalid.")
    stages = [key for key, _ in pipeline.stages]
    if stage_id in stages:
        return str(stage_id)
    if explicit:
        raise Refusal(400, f"The pipeline stage id {stage_id} is invalid.")
    named = {name: key for key, name in pipeline.stages}
    name = _name_of(call.state, stage_id)
    if call.state.settings.keeps_stage_name and name in named:
        return named[name]
    return stages[0]


def _name_of(state: State, stage_id: str | None) -> str:
    pipelines = state.store.table(Pipeline).values()
    return next((name for one in pipelines for key, name in one.stages if key == stage_id), "")


def _status(status: str) -> str:
    if status not in STATUSES:
        raise invalid(f"status must be one of the following values: {', '.join(STATUSES)}")
    return status


def _refuse_second(state: State, contact_id: str, pipeline_id: str) -> None:
    location = state.location(state.contacts[contact_id].location_id)
    if location.allow_duplicate_opportunities:
        return
    for one in state.live(Opportunity, location.id):
        if one.contact_id == contact_id and one.pipeline_id == pipeline_id:
            meta = {"existingId": one.id}
            raise Refusal(400, DUPLICATE, code="OPPORTUNITY_NO_DUPLICATE", meta=meta)


def shape(state: State, one: Opportunity) -> Row:
    """An opportunity as GET shows it, and the reply of a write."""
    contact = state.contacts[one.contact_id]
    body: Row = {
        "id": one.id,
        "name": one.name,
        "monetaryValue": one.value,
        "pipelineId": one.pipeline_id,
        "pipelineStageId": one.stage_id,
        "assignedTo": one.assigned_to,
        "status": one.status,
        "source": one.source,
        "lostReasonId": one.lost_reason_id,
        "lastStageChangeAt": iso(one.staged),
        "createdAt": iso(one.added),
        "updatedAt": iso(one.updated),
        "contactId": one.contact_id,
        "locationId": one.location_id,
        "customFields": [
            {"id": key, "fieldValue": value} for key, value in one.custom_fields.items()
        ],
        "followers": [],
        "contact": {
            "id": contact.id,
            "name": shapes.full_name(contact),
            "companyName": contact.company_name,
            "email": contact.email,
            "phone": contact.phone,
            "tags": list(contact.tags),
        },
    }
    if state.settings.explicit_nulls:
        return body
    return shapes.without_nulls(body)


def _search_item(state: State, one: Opportunity) -> Row:
    """An item of a search."""
    return {**shape(state, one), "notes": [], "tasks": [], "calendarEvents": []}
