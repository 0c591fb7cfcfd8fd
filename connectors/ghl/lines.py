"""Pages of GHL's JSON cut into lines without decoding the records.

Only the head of each is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from reconcile.errors import Malformed


class Head(msgspec.Struct):
    """The few members of a record that paging looks at."""

    id: str | None = None
    alias: str | None = msgspec.field(name="_id", default=None)
    contactId: str | None = None  # noqa: N815 - GHL's spelling
    searchAfter: list[Any] | None = None  # noqa: N815 - GHL's spelling
    deleted: bool | None = None

    @property
    def key(self) -> str:
        """The record's id under either name; tasks/search says `_id` (docs/ghl.md#tasks)."""
        return self.id or self.alias or ""


class SearchPage(msgspec.Struct):
    """A reply of POST /contacts/search."""

    contacts: list[msgspec.Raw]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its head, and its JSON as it came."""

    head: Head
    raw: bytes


_head = msgspec.json.Decoder(Head)


def rows_of(raws: Iterable[msgspec.Raw]) -> list[Row]:
    """The rows of a page.

    Raises Malformed for one without an id, or whose head has another type than documented.
    """
    rows = []
    for raw in raws:
        text = bytes(raw)
        try:
            head = _head.decode(text)
        except (msgspec.ValidationError, RecursionError) as error:
            raise Malformed(f"a record does not have the documented form: {error}") from None
        if not head.key:
            raise Malformed("expected a record with an id, found one without")
        rows.append(Row(head, text))
    return rows


def listed(body: bytes, member: str) -> list[Row]:
    """The rows of a reply that lists them under `member`. Raises Malformed where it does not."""
    return rows_of(getattr(decode(body, _page(member)), member))


@cache
def _page(member: str) -> type[msgspec.Struct]:
    return msgspec.defstruct(f"{member.capitalize()}Page", [(member, list[msgspec.Raw])])


def fresh(rows: Iterable[Row], seen: set[str]) -> list[Row]:
    """The rows whose ids are new to `seen`, each once; they are added to it."""
    unseen = {row.head.key: row for row in rows if row.head.key not in seen}
    seen.update(unseen)
    return list(unseen.values())


def decode(body: bytes, page: type[Any]) -> Any:
    """A reply's body as `page`. Raises Malformed where it has another form.

    Records stay as they came, so that their texts are looked at here alone: what is no UTF-8 would
    end the read of all.
    """
    try:
        body.decode("utf-8")
        return msgspec.json.decode(body, type=page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"expected {page.__name__}, found something else: {error}") from None


def lists(rows: Iterable[Row], key: str) -> bool:
    """Whether a record is among the rows, and not marked as deleted."""
    return any(row.head.key == key and not row.head.deleted for row in rows)


def with_parent(row: Row, contact: str) -> Row:
    """The row, naming its contact also where GHL left that out."""
    if row.head.contactId:
        return row
    if b'"contactId"' in row.raw:
        # There, but null: naming it twice would leave the reading to the reader.
        item = msgspec.json.decode(row.raw)
        return Row(row.head, msgspec.json.encode({**item, "contactId": contact}))
    stated = b'{"contactId":' + msgspec.json.encode(contact)
    rest = row.raw.lstrip()[1:]
    if rest.strip() == b"}":
        return Row(row.head, stated + b"}")
    return Row(row.head, stated + b"," + rest)


def join(rows: Iterable[Row]) -> bytes:
    """JSON lines: a record a line, also where GHL printed it over several."""
    return b"".join(_line(row.raw) + b"\n" for row in rows)


def _line(raw: bytes) -> bytes:
    if b"\n" in raw or b"\r" in raw:
        return msgspec.json.format(raw, indent=-1)
    return raw
