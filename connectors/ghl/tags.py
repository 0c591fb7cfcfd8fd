"""The tag endpoints: on one contact, on many at once, and the location's dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.ghl.api import Api
from reconcile.errors import NotFound
from reconcile.ports import Json

Change = Literal["add", "remove"]


@dataclass(frozen=True, slots=True)
class TagResult:
    """What the bulk endpoint says of one contact.

    Why nothing was done, or the tags it has afterwards where told.
    """

    contact: str
    error: str
    after: tuple[str, ...] | None


def change(
    api: Api, contact: str, tags: Sequence[str], *, change: Change
) -> tuple[str, ...] | None:
    """Add tags to a contact or remove them; all its tags afterwards, where GHL says them."""
    # Never by an update of the contact: its `tags` replace the whole set (docs/ghl.md#contacts).
    name = "tag.add" if change == "add" else "tag.remove"
    reply = api.call(name, {"contact": contact}, body={"tags": list(tags)}).json()
    return _texts(reply.get("tags"))


def change_many(
    api: Api, contacts: Sequence[str], tags: Sequence[str], *, change: Change
) -> Mapping[str, TagResult]:
    """The bulk endpoint, by contact.

    A 201 may hold failures of single contacts (docs/ghl.md#tags).
    """
    body: dict[str, Json] = {
        "contacts": list(contacts),
        "tags": list(tags),
        "locationId": api.location,
    }
    reply = api.call("bulk.tags", {"change": change}, body=body).json()
    results = [_result(item) for item in reply.get("responses") or [] if isinstance(item, dict)]
    return {result.contact: result for result in results}


def _result(item: Mapping[str, Any]) -> TagResult:
    contact = str(item.get("contactId") or "")
    if item.get("type") != "success":
        return TagResult(contact, str(item.get("message") or "no reason given"), None)
    return TagResult(contact, "", _after(item))


def _after(item: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The tags that a contact has afterwards: GHL tells those before, and what was changed."""
    before = _texts(item.get("oldTags"))
    if before is None:
        return None
    removed = set(_texts(item.get("tagsRemoved")) or ())
    after = [tag for tag in before if tag not in removed]
    after += _texts(item.get("tagsAdded")) or ()
    return tuple(dict.fromkeys(after))


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(str(tag) for tag in value)


def dictionary(api: Api) -> list[dict[str, Any]]:
    """The location's tags: id, name, locationId."""
    return list(api.call("tag.list").json().get("tags") or [])


def undefine(api: Api, tag: str) -> None:
    """Remove a tag from the dictionary; one that is gone already is what was asked for."""
    try:
        api.call("tag.delete", {"tag": tag})
    except NotFound:
        return
