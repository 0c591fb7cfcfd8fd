"""The task endpoints: under a contact, and the location-wide search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from connectors.ghl.lines import Row, TaskPage, decode, lists, rows_of, with_parent
from reconcile.errors import NotFound, Unnamed
from reconcile.ports import Json


def search(api: Api, *, limit: int, skip: int, contacts: Sequence[str] = ()) -> list[Row]:
    """One page of POST /locations/{id}/tasks/search, completed and open ones alike (facts.md section 1.3)."""
    body: dict[str, Json] = {"limit": limit, "skip": skip}
    if contacts:
        body["contactId"] = list(contacts)
    return rows_of(decode(api.call("task.search", body=body).body, TaskPage).tasks)


def of_contact(api: Api, contact: str) -> list[Row]:
    """All tasks of a contact; none where the contact is gone."""
    try:
        answer = api.call("task.list", {"contact": contact})
    except NotFound:
        return []
    return [with_parent(row, contact) for row in rows_of(decode(answer.body, TaskPage).tasks)]


def get(api: Api, contact: str, task: str) -> dict[str, Any] | None:
    """The task as it is now; None where it, or its contact, is gone. Raises Unnamed for a refusal that proves neither."""
    try:
        return member(api.call("task.get", {"contact": contact, "task": task}).json(), "task")
    except NotFound:
        return None
    except Unnamed:
        if lists(of_contact(api, contact), task):
            raise
        return None


def create(api: Api, contact: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """POST: title, dueDate and completed are required by GHL."""
    body: dict[str, Json] = {
        "completed": False,
        **{name: value for name, value in fields.items() if value is not None},
    }
    return member(api.call("task.create", {"contact": contact}, body=body).json(), "task")


def update(api: Api, contact: str, task: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """PUT with the changed fields alone."""
    return member(
        api.call("task.update", {"contact": contact, "task": task}, body=dict(fields)).json(),
        "task",
    )


def complete(api: Api, contact: str, task: str, *, completed: bool) -> dict[str, Any]:
    """PUT …/completed: completes a task, or opens it again."""
    parts = {"contact": contact, "task": task}
    return member(api.call("task.complete", parts, body={"completed": completed}).json(), "task")


def delete(api: Api, contact: str, task: str) -> None:
    """DELETE; a task that is gone already is what was asked for."""
    try:
        api.call("task.delete", {"contact": contact, "task": task})
    except NotFound:
        return
    except Unnamed:
        if get(api, contact, task) is not None:
            raise
