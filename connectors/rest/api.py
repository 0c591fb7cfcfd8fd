"""The requests of a declared API: paths filled in, bodies wrapped and unwrapped, pages fetched."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.http import Answer, Client, Request
from connectors.rest.pagers import ListPage
from connectors.rest.places import find, parse, text
from connectors.rest.settings import EndpointSettings
from reconcile.errors import InvalidField, Malformed

# A decimal travels as the text it was written in: a float would lose digits.
_DECODER = msgspec.json.Decoder(float_hook=str)
# As it was written, a number again when it is sent back.
_AS_SENT = msgspec.json.Decoder(float_hook=lambda number: msgspec.Raw(number.encode()))


def decoded(answer: Answer, *, as_sent: bool = False) -> Any:
    """The body of an answer, decimals as text, or `as_sent`: to be sent back digit by digit. Raises Malformed where it is not JSON."""
    try:
        return (_AS_SENT if as_sent else _DECODER).decode(answer.body)
    except msgspec.MsgspecError:
        kind = answer.headers.get("content-type", "?")
        raise Malformed(
            f"expected JSON, found {len(answer.body)} bytes of {kind}",
            remedy="check the URL and the paths",
            status=answer.status,
        ) from None


def filled(template: str, parts: Mapping[str, str | None]) -> str:
    """A path with its placeholders, each quoted: a key never changes the route. Raises InvalidField for one not known."""
    path = template
    for name, value in parts.items():
        if f"{{{name}}}" not in path:
            continue
        if not value:
            raise InvalidField(f"{template} needs the record's {name}, none was named", remedy="pass it")
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


@dataclass(frozen=True, slots=True)
class Api:
    """One client, and the parameters that go with every request (an API key in the query)."""

    client: Client
    params: Mapping[str, str] = field(default_factory=dict)

    def send(self, request: Request) -> Answer:
        """Send a request. Raises ConnectorError, see Client.send."""
        if not self.params:
            return self.client.send(request)
        return self.client.send(dataclasses.replace(request, params={**request.params, **self.params}))

    def page(self, endpoint: EndpointSettings, asked: Mapping[str, Any] | str, parent: str | None) -> ListPage:
        """One page of a collection; `asked` is the pager's parameters, or the address of the page."""
        answer = self.send(_list_request(endpoint, asked, parent))
        body = decoded(answer)
        items = find(body, parse(endpoint.items))
        if not isinstance(items, list):
            place = f'at "{endpoint.items}"' if endpoint.items else "as the whole answer"
            raise Malformed(
                f"GET {endpoint.path}: expected a list {place}, found {type(items).__name__}",
                remedy='say in "items" where a page holds its records',
            )
        counted = answer.headers.get("x-total-count", answer.headers.get("x-total"))
        return ListPage(items, body, answer.headers.get("link", ""), counted)

    def get(self, endpoint: EndpointSettings, key: str, parent: str | None) -> dict[str, Any]:
        """One record. Raises NotFound."""
        return self.unwrapped(endpoint, self.answer(endpoint, key, parent))

    def answer(self, endpoint: EndpointSettings, key: str, parent: str | None) -> Answer:
        """The answer that holds one record. Raises NotFound."""
        template = item_of(endpoint)
        path = filled(template, {"key": key, "parent": parent})
        return self.send(Request("GET", path, endpoint=f"GET {template}", replay=True))

    def unwrapped(self, endpoint: EndpointSettings, answer: Answer, *, as_sent: bool = False) -> dict[str, Any]:
        """The record in an answer, see `decoded`. Raises Malformed where there is none."""
        record = find(decoded(answer, as_sent=as_sent), parse(endpoint.envelope or ""))
        if isinstance(record, dict):
            return record
        raise Malformed(
            f'expected a record at "{endpoint.envelope or "(the answer itself)"}", found {type(record).__name__}',
            remedy='say in "envelope" which member of an answer holds the record',
        )


def item_of(endpoint: EndpointSettings) -> str:
    """The path of one record."""
    return endpoint.item or f"{endpoint.path.rstrip('/')}/{{key}}"


def wrapped(endpoint: EndpointSettings, body: dict[str, Any]) -> dict[str, Any]:
    """A record as a request carries it."""
    name = endpoint.envelope if endpoint.wrap is None else endpoint.wrap
    for member in reversed(parse(name or "")):
        body = {str(member): body}
    return body


def _list_request(endpoint: EndpointSettings, asked: Mapping[str, Any] | str, parent: str | None) -> Request:
    name = f"{endpoint.method} {endpoint.path}"
    if isinstance(asked, str):
        return Request("GET", asked, endpoint=name, replay=True)
    path = filled(endpoint.path, {"parent": parent})
    everything = {**endpoint.params, **asked}
    if endpoint.method == "POST":
        return Request("POST", path, endpoint=name, body=everything, replay=True)
    params = {
        key: value if isinstance(value, int) and not isinstance(value, bool) else text(value)
        for key, value in everything.items()
    }
    return Request("GET", path, endpoint=name, params=params, replay=True)
