"""A copy of an app behind a JSON API: its records, served by a plain API of the rehearsal's own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest.places import find, merge, parse, put
from flows.rehearse.sample import pages_of
from reconcile.entities import OWNER, RECORDS
from reconcile.model import Entity
from reconcile.ports import Connector
from reconcile.ports import Path as Place

_OWNER = "rehearsal_parent"
"""Where a copied record names its contact, if the API tells that by a path alone."""

_OURS = "#"
"""What the members begin with that the connector adds to a record."""

_KEPT = (
    "key",
    "parent",
    "modified_at",
    "deleted",
    "archive",
    "constants",
    "on_create",
    "update",
    "send",
    "merge_patch",
    "clear_with",
    "tags",
    "tag_name",
    "tag_ids",
)
"""What the pair file says of records. How the API is asked, pages and wraps is not copied."""

_MILLISECONDS = 100_000_000_000

Rows = dict[str, dict[str, Any]]
"""The records of a kind, by key."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The records of one kind, and where each holds its key and the time of its last change."""

    key: Place
    modified: Place | None
    merges: bool
    rows: Rows = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> str:
        """Keep a record under its key."""
        key = str(find(row, self.key))
        self.rows[key] = row
        return key

    def new_key(self) -> Any:
        """A key that no record has: a number where the others have numbers."""
        numbers = [find(row, self.key) for row in self.rows.values()]
        if all(isinstance(number, int) for number in numbers):
            return max(numbers, default=0) + 1
        return str(uuid.uuid4())

    def stamp(self, row: dict[str, Any], now: int) -> None:
        """Note when a record was changed, in the notation of the others."""
        if self.modified is None:
            return
        known = (find(other, self.modified) for other in self.rows.values())
        sample = next((one for one in known if one is not None), "")
        moment: Any = datetime.fromtimestamp(now / 1000, UTC).isoformat()
        if isinstance(sample, int | float):
            moment = now if sample > _MILLISECONDS else now // 1000
        put(row, self.modified, moment)


@dataclass
class ApiCopy:
    """What the API held, served anew: lists come whole, and records are changed by their keys."""

    clock: Callable[[], int]
    """Milliseconds since the epoch."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def keep(self, _name: str) -> dict[str, Rows]:
        """What it holds now."""
        with self.lock:
            return {name: deepcopy(kind.rows) for name, kind in self.kinds.items()}

    def put_back(self, kept: Mapping[str, Rows]) -> None:
        """Hold that again."""
        with self.lock:
            for name, kind in self.kinds.items():
                kind.rows.clear()
                kind.rows.update(deepcopy(kept[name]))

    def app(self) -> Starlette:
        """The API."""
        one = "/{kind}/{key}"
        routes = [
            Route("/{kind}", self._list, methods=["GET"]),
            Route("/{kind}", self._create, methods=["POST"]),
            Route(one, self._read, methods=["GET"]),
            Route(one, self._change, methods=["PUT", "PATCH"]),
            Route(one, self._delete, methods=["DELETE"]),
        ]
        return Starlette(routes=routes)

    async def _list(self, request: Request) -> Response:
        kind = self.kinds[request.path_params["kind"]]
        with self.lock:
            return JSONResponse(list(kind.rows.values()))

    async def _create(self, request: Request) -> Response:
        kind = self.kinds[request.path_params["kind"]]
        row = await request.json()
        with self.lock:
            put(row, kind.key, kind.new_key())
            kind.stamp(row, self.clock())
            kind.add(row)
        return JSONResponse(row, status_code=201)

    async def _read(self, request: Request) -> Response:
        kind = self.kinds[request.path_params["kind"]]
        with self.lock:
            row = kind.rows.get(request.path_params["key"])
            return _missing() if row is None else JSONResponse(row)

    async def _change(self, request: Request) -> Response:
        kind = self.kinds[request.path_params["kind"]]
        key = request.path_params["key"]
        body = await request.json()
        with self.lock:
            row = kind.rows.get(key)
            if row is None:
                return _missing()
            changed = deepcopy(row)
            if request.method == "PUT":
                changed = {}
            if kind.merges:
                merge(changed, body)
            else:
                changed.update(body)
            put(changed, kind.key, find(row, kind.key))
            kind.stamp(changed, self.clock())
            kind.rows[key] = changed
            return JSONResponse(changed)

    async def _delete(self, request: Request) -> Response:
        kind = self.kinds[request.path_params["kind"]]
        with self.lock:
            row = kind.rows.pop(request.path_params["key"], None)
        return _missing() if row is None else Response(status_code=204)


def _missing() -> Response:
    return JSONResponse({"message": "not found"}, status_code=404)


def copy_api(
    connector: Connector,
    said: Mapping[str, Any],
    chosen: Collection[str],
    clock: Callable[[], int],
) -> tuple[ApiCopy, dict[str, Any]]:
    """The chosen contacts and what hangs on them; returns `[app]` of the copy, without its URL."""
    copy = ApiCopy(clock)
    app: dict[str, Any] = {"connector": "rest", "requests": 10_000, "seconds": 1}
    for kind in RECORDS:
        table = said.get(kind.value)
        if table is None:
            continue
        endpoint = {name: table[name] for name in _KEPT if name in table}
        if kind.parent is not None:
            endpoint.setdefault("parent", _OWNER)
        app[kind.value] = {**endpoint, "path": kind.value, "pager": {"kind": "none"}}
        held = Kind(
            key=parse(endpoint.get("key", "id")),
            modified=parse(endpoint["modified_at"]) if "modified_at" in endpoint else None,
            merges=bool(endpoint.get("merge_patch")),
        )
        for row, owner in _rows(connector, kind):
            if kind is OWNER and str(find(row, held.key)) not in chosen:
                continue
            if kind.parent is not None and owner not in chosen:
                continue
            if endpoint.get("parent") == _OWNER:
                row[_OWNER] = owner
            held.add(row)
        copy.kinds[kind.value] = held
    return copy, app


def _rows(connector: Connector, kind: Entity) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The records as the API listed them, each with the key of its contact."""
    shape = connector.shape(kind)
    for page in pages_of(connector, kind):
        for line in page.lines.splitlines():
            entry = json.loads(line)
            owner = next((find(entry, path) for path in shape.parent), None)
            row = {name: said for name, said in entry.items() if not name.startswith(_OURS)}
            yield row, owner if owner is None else str(owner)
