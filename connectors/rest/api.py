"""The requests of a declared API: paths filled in, bodies wrapped and unwrapped, pages fetched."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from connectors.http import Answer, Client, Request
from connectors.rest.pagers import ListPage, is_empty
from connectors.rest.places import find, parse, text
from connectors.rest.settings import EndpointSettings
from reconcile.errors import InvalidField, Malformed, NotFound

# A decimal travels as the text it was written in: a float would lose digits.
_DECODER = msgspec.json.Decoder(float_hook=str)
# As it was written, a number again when it is sent back.
_AS_SENT = msgspec.json.Decoder(float_hook=lambda number: msgspec.Raw(number.encode()))


def decoded(answer: Answer, *, as_sent: bool = False) -> Any:
    """The body of an answer, decimals as text, or `as_sent`: to be sent back digit by digit.

    Raises Malformed where it is not JSON.
    """
    try:
        return (_AS_SENT if as_sent else _DECODER).decode(answer.body)
    except (msgspec.MsgspecError, RecursionError):
        kind = answer.headers.get("content-type", "?")
        raise Malformed(
            f"expected JSON, found {len(answer.body)} bytes of {kind}",
            remedy="check the URL and the paths",
            status=answer.status,
        ) from None


_COUNTED = ("x-total-count", "x-total", "total-objects", "total-records")
"""Headers that tell how many records there are in all; the last two are Kinto's."""


class Prover(Protocol):
    """Knows by its template whether a path leads to records."""

    def leads(self, template: str, path: str) -> None:
        """A request found something there.

        At `path` there is a record ("" where that is not said).
        """
        ...

    def prove(self, template: str) -> None:
        """A request found nothing there.

        Raises ConnectorError where it would not have found a record that is there.
        """
        ...


def filled(template: str, parts: Mapping[str, str | None]) -> str:
    """A path with its placeholders, each quoted: a key never changes the route.

    Raises InvalidField for one not known.
    """
    path = template
    for name, value in parts.items():
        if f"{{{name}}}" not in path:
            continue
        if not value:
            raise InvalidField(
                f"{template} needs the record's {name}, none was named", remedy="pass it"
            )
        if value in (".", ".."):
            raise InvalidField(
                f'"{value}" as the {name} in {template} would lead to another path',
                remedy="rename it",
            )
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


@dataclass(frozen=True, slots=True)
class Api:
    """One client, the parameters that go with every request, and who proves its routes.

    An API key in the query is such a parameter.
    """

    client: Client
    params: Mapping[str, str] = field(default_factory=dict)
    routes: Prover | None = None

    def send(self, request: Request) -> Answer:
        """Send a request.

        Raises ConnectorError, see Client.send; NotFound only where the route is known to lead to
        records.
        """
        template = request.endpoint.partition(" ")[2]
        if self.params:
            request = dataclasses.replace(request, params={**request.params, **self.params})
        try:
            answer = self.client.send(request)
        except NotFound:
            if self.routes:
                self.routes.prove(template)
            raise
        if self.routes:
            # A GET that was answered may be asked again to prove the route.
            path = request.path if request.method == "GET" else ""
            self.routes.leads(template, path)
        return answer

    def page(
        self, endpoint: EndpointSettings, query: Mapping[str, Any] | str, parent: str | None
    ) -> ListPage:
        """One page of a collection.

        `query` is the pager's parameters, or the address of the page.
        """
        request = _list_request(endpoint, query, parent)
        answer = self.send(request)
        body = None if answer.status == 204 else decoded(answer)
        _refuse_failure(endpoint, body)
        items = find(body, parse(endpoint.items))
        if items is None and (answer.status == 204 or is_empty(body)):
            items = []
        if not isinstance(items, list):
            place = f'at "{endpoint.items}"' if endpoint.items else "as the whole answer"
            raise Malformed(
                f"GET {endpoint.path}: expected a list {place}, found {type(items).__name__}",
                remedy='say in "items" where a page holds its records',
            )
        counted = _counted(answer.headers)
        return ListPage(
            items,
            body,
            headers=answer.headers,
            counted=counted,
            address=request.path,
            partial=answer.status == 206,
        )

    def get(self, endpoint: EndpointSettings, key: str, parent: str | None) -> dict[str, Any]:
        """One record. Raises NotFound; Malformed where another one came."""
        return self.shown(endpoint, self.answer(endpoint, key, parent), key)

    def shown(self, endpoint: EndpointSettings, answer: Answer, key: str | None) -> dict[str, Any]:
        """The record in an answer.

        Raises Malformed where it shows another key than `key`, as after a merge.
        """
        record = self.unwrapped(endpoint, answer)
        record_key = find(record, parse(endpoint.key))
        if key is not None and isinstance(record_key, str | int) and str(record_key) != key:
            raise Malformed(
                f"asked for the record {key}, another came: {record_key}",
                remedy=(
                    "see whether it was merged into the other one; "
                    'compare "item" and "key" with the API\'s documentation'
                ),
            )
        return record

    def answer(self, endpoint: EndpointSettings, key: str, parent: str | None) -> Answer:
        """The answer that holds one record. Raises NotFound."""
        template = item_of(endpoint)
        path = filled(template, {"key": key, "parent": parent})
        params = dict(endpoint.item_params)
        name = f"GET {template}"
        request = Request(
            "GET",
            path,
            endpoint=name,
            params=params,
            replay=True,
        )
        return self.send(request)

    def unwrapped(
        self, endpoint: EndpointSettings, answer: Answer, *, as_sent: bool = False
    ) -> dict[str, Any]:
        """The record in an answer, see `decoded`. Raises Malformed where there is none."""
        record = find(decoded(answer, as_sent=as_sent), parse(endpoint.envelope or ""))
        if isinstance(record, dict):
            return record
        raise Malformed(
            (
                f'expected a record at "{endpoint.envelope or "(the answer itself)"}", '
                f"found {type(record).__name__}"
            ),
            remedy='say in "envelope" which member of an answer holds the record',
        )


def _refuse_failure(endpoint: EndpointSettings, body: Any) -> None:
    """Raises Malformed for a page that says that it failed.

    Its list, mostly empty, is no list of what there is.
    """
    if not isinstance(body, dict):
        return
    failed = [name for name in ("success", "ok") if body.get(name) is False]
    failed += [name for name in ("error", "errors") if body.get(name)]
    if failed:
        raise Malformed(
            (
                f"{endpoint.method} {endpoint.path}: the answer says in its member "
                f'"{failed[0]}" that it failed'
            ),
            remedy="repeat the run; if it stays, ask the API's support",
        )


def _counted(headers: Mapping[str, str]) -> str | None:
    """The count of all records in a header.

    It is in one of its own, or after the range of a part (RFC 9110, 14.4).
    """
    ranged = headers.get("content-range", "").rpartition("/")[2].strip()
    own = (headers[name] for name in _COUNTED if name in headers)
    return next(own, ranged or None)


def item_of(endpoint: EndpointSettings) -> str:
    """The path of one record."""
    return endpoint.item or f"{endpoint.path.rstrip('/')}/{{key}}"


def wrapped(endpoint: EndpointSettings, body: dict[str, Any]) -> dict[str, Any]:
    """A record as a request carries it."""
    name = endpoint.envelope if endpoint.wrap is None else endpoint.wrap
    for member in reversed(parse(name or "")):
        body = {str(member): body}
    return body


def _list_request(
    endpoint: EndpointSettings, query: Mapping[str, Any] | str, parent: str | None
) -> Request:
    name = f"{endpoint.method} {endpoint.path}"
    if isinstance(query, str):
        return Request("GET", query, endpoint=name, replay=True)
    path = filled(endpoint.path, {"parent": parent})
    everything = {**endpoint.params, **query}
    if endpoint.method == "POST":
        return Request("POST", path, endpoint=name, body=everything, replay=True)
    params = {key: text(value) for key, value in everything.items()}
    return Request("GET", path, endpoint=name, params=params, replay=True)
