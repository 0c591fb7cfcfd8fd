"""Tasks under a contact, and the search over a whole location (docs/ghl.md#tasks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, not_found
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.contacts import save
from connectors.ghl.sandbox.dto import COMPLETE_TASK, CREATE_TASK, SEARCH_TASKS, UPDATE_TASK
from connectors.ghl.sandbox.instants import iso, parse_instant
from connectors.ghl.sandbox.nouns import Task
from connectors.ghl.sandbox.writing import Writer


def list_tasks(call: Call) -> Answer:
    """GET /contacts/{contactId}/tasks: all of them, no paging."""
    contact = call.contact()
    tasks = (call.state.tasks[one] for one in call.state.tasks_of.get(contact.id, ()))
    rows = [shapes.task(one, contact.id) for one in tasks if not one.deleted]
    return Answer(200, {"tasks": rows})


def get_task(call: Call) -> Answer:
    """GET /contacts/{contactId}/tasks/{taskId}."""
    return Answer(200, {"task": shapes.task(_task(call))})


def create_task(call: Call) -> Answer:
    """POST /contacts/{contactId}/tasks: 201; no key guards it against being sent twice."""
    body = call.checked(CREATE_TASK)
    contact, now = call.contact(), call.state.now()
    fields = attributes(call, body)
    task = Task(
        id=call.state.new_id(),
        location_id=contact.location_id,
        contact_id=contact.id,
        added=now,
        updated=now,
        **fields,
    )
    if call.state.settings.tasks_move_updated:
        save(call, contact, {})
    return Answer(201, {"task": shapes.task(call.state.put_task(task))})


def update_task(call: Call) -> Answer:
    """PUT /contacts/{contactId}/tasks/{taskId}: partial.

    The contact's dateUpdated does not move.
    """
    return _change(call, call.checked(UPDATE_TASK))


def complete_task(call: Call) -> Answer:
    """PUT /contacts/{contactId}/tasks/{taskId}/completed."""
    return _change(call, call.checked(COMPLETE_TASK))


def delete_task(call: Call) -> Answer:
    """DELETE /contacts/{contactId}/tasks/{taskId}."""
    task = _task(call)
    call.state.put_task(
        msgspec.structs.replace(task, deleted=True, updated=max(call.state.now(), task.updated + 1))
    )
    return Answer(200, shapes.done(call.version))


def search_tasks(call: Call) -> Answer:
    """POST /locations/{locationId}/tasks/search: newest first, by skip.

    Deleted tasks show with `deleted: true`.
    """
    body = call.checked(SEARCH_TASKS)
    location = call.location(call.path["locationId"])
    matches = _matching(call, location.id, body)
    skip = int(body.get("skip", 0))
    limit = min(int(body.get("limit", 25)), call.state.settings.tasks_page_max)
    last = -1 if call.state.settings.tasks_show_last else 0
    page = [
        shapes.task_search_item(one, call.state.contacts.get(one.contacts[last] or ""))
        for one in matches[skip : skip + limit]
    ]
    return Answer(200, {"tasks": page, **({"count": len(matches)} if body.get("count") else {})})


def _matching(call: Call, location_id: str, body: Mapping[str, Any]) -> list[Task]:
    """All tasks asked for; kept for the next page while nothing changes."""
    filters = {name: value for name, value in body.items() if name not in ("limit", "skip")}
    key, changes = msgspec.json.encode(filters), call.state.task_changes
    known = call.state.task_views.get(location_id)
    # Tasks become overdue without a change.
    if known is not None and known[:2] == (changes, key) and "overdue" not in body:
        return known[2]
    matches = [
        one
        for one in call.state.tasks.values()
        if one.location_id == location_id and _wanted(call, one, body)
    ]
    # The order is unknown; whichever it is, it moves while one reads.
    matches.sort(key=lambda one: (one.added, one.id), reverse=True)
    call.state.task_views[location_id] = (changes, key, matches)
    return matches


def _wanted(call: Call, task: Task, body: Mapping[str, Any]) -> bool:
    contact = call.state.contacts.get(task.contact_id or "")
    if task.contact_id is not None and (contact is None or contact.deleted):
        return False
    if task.deleted and not call.state.settings.deleted_tasks_in_search:
        return False
    business = body.get("businessId")
    if business and (contact is None or contact.business_id != business):
        return False
    return all(_asked(call, task, body))


def _asked(call: Call, task: Task, body: Mapping[str, Any]) -> Iterator[bool]:
    if body.get("contactId"):
        yield not set(task.contacts).isdisjoint(body["contactId"])
    if "completed" in body:
        yield task.completed == body["completed"]
    if body.get("assignedTo"):
        yield task.assigned_to in body["assignedTo"]
    if part := (body.get("query") or "").casefold():
        yield part in task.title.casefold()
    if body.get("overdue"):
        yield not task.completed and (parse_instant(task.due_date) or 0) < call.state.now()


def _task(call: Call) -> Task:
    contact = call.contact()
    task = call.state.tasks.get(call.path["taskId"])
    if task is None or task.deleted or contact.id not in task.contacts:
        raise not_found("Task", call.path["taskId"])
    return task


def _change(call: Call, body: Mapping[str, Any]) -> Answer:
    task = _task(call)
    changes = attributes(call, body)
    updated = max(call.state.now(), task.updated + 1)
    after = call.state.put_task(msgspec.structs.replace(task, **changes, updated=updated))
    return Answer(200, {"task": shapes.task(after)})


def attributes(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """A task body's attributes; due dates as GHL repeats them, in UTC with milliseconds."""
    changes: dict[str, Any] = {name: body[name] for name in ("title", "completed") if name in body}
    writer = Writer(call.state, call.state.location(call.home()))
    if "body" in body:
        changes["body"] = writer.text(body["body"] or None)
    if "dueDate" in body:
        changes["due_date"] = iso(parse_instant(body["dueDate"]) or 0)
    if "assignedTo" in body:
        changes["assigned_to"] = writer.user(body["assignedTo"], "assignedTo")
    return changes
