"""GHL's two bulk endpoints, with an answer for each contact of a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from connectors.ghl import contacts
from connectors.ghl.api import Api
from connectors.ghl.outgoing import LINKED
from connectors.ghl.replies import reply_to
from connectors.ghl.tags import Change, TagResult, change_many
from reconcile.errors import Duplicate, InvalidField, Malformed, NotFound, Transient, Uncertain
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Record, Reply, Write

Alone: TypeAlias = Callable[[Write], list[Reply]]

_BATCH_REFUSED = (InvalidField, NotFound, Duplicate)
"""One bad contact may refuse the whole batch.

It is split, and each write then speaks for itself.
"""

_CONTACT_GONE = re.compile(r"\bcontact\b.*\b(?:not found|is deleted)\b", re.IGNORECASE)
"""What an item says of its own contact, which it names by `contactId`.

"not a valid firebase id" says nothing of the kind.
"""


def bulk_tags(api: Api, writes: Sequence[Write], alone: Alone) -> list[Reply]:
    """One request for an equal tag change on many contacts; a Reply for each write.

    A contact that the answer does not mention is sent alone: adding or removing a tag twice does no
    harm.
    """
    change: Change = "add" if writes[0].kind is OpKind.ADD_TAGS else "remove"
    keys = [write.key or "" for write in writes]
    try:
        results = change_many(api, keys, writes[0].tags, change=change)
    except _BATCH_REFUSED:
        return [reply for write in writes for reply in alone(write)]
    except (Transient, Uncertain, Malformed) as error:
        return [reply_to(write, error) for write in writes]
    return [
        reply for write in writes for reply in _replies(write, results.get(write.key or ""), alone)
    ]


def _replies(write: Write, result: TagResult | None, alone: Alone) -> list[Reply]:
    if result is None:
        return alone(write)
    if result.error:
        code = "NOT_FOUND" if _CONTACT_GONE.search(result.error) else "INVALID_FIELD"
        return [Reply(write.op_id, Status.REJECTED, key=write.key, code=code, detail=result.error)]
    return [tagged(write, result.after)]


def bulk_business(api: Api, writes: Sequence[Write], alone: Alone) -> list[Reply]:
    """One request for an equal business link of up to 50 contacts.

    What GHL does not list as done is sent alone.
    """
    business = writes[0].fields[LINKED]
    try:
        done = contacts.link_business(api, [write.key or "" for write in writes], _text(business))
    except _BATCH_REFUSED:
        return [reply for write in writes for reply in alone(write)]
    except (Transient, Uncertain, Malformed) as error:
        return [reply_to(write, error) for write in writes]
    replies: list[Reply] = []
    for write in writes:
        if write.key in done:
            replies.append(_linked(write))
        else:
            replies += alone(write)
    return replies


def _linked(write: Write) -> Reply:
    record = Record(write.key or "", {LINKED: write.fields[LINKED]})
    return Reply(write.op_id, Status.DONE, record=record, key=write.key)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def tagged(write: Write, after: Sequence[str] | None) -> Reply:
    """Done, with the whole set of tags where GHL told it."""
    if after is None:
        return Reply(write.op_id, Status.DONE, key=write.key)
    record = Record(write.key or "", {"tags": list(after)})
    return Reply(write.op_id, Status.DONE, record=record, key=write.key)
