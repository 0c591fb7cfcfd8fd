"""A JSON API shaped unlike GHL's: nested names, whole numbers as keys, page numbers, PATCH, ETags, wrapped bodies, OAuth."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

COLLECTIONS = {"customers": "customer", "todos": "todo", "remarks": "remark"}
MEMBERS = {
    "customers": {"person", "mail", "city", "labels", "visits", "archived"},
    "todos": {"owner", "headline", "state", "until"},
    "remarks": {"owner", "words"},
}
OURS = {"number", "meta"}
CLIENT = ("shop-client", "shop-secret")


@dataclass
class Shop:
    """What the API holds, and switches for its vices."""

    rows: dict[str, dict[int, dict[str, Any]]] = field(
        default_factory=lambda: {name: {} for name in COLLECTIONS}
    )
    made: int = 0
    ticks: int = 0
    tokens: int = 0
    valid: set[str] = field(default_factory=set)
    seen: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    page_cap: int = 1000
    pager: str = "page"
    lie_about_total: int = 0
    stuck: bool = False
    elsewhere: str = ""
    fail_after: int | None = None
    lose_answer: bool = False
    lose_updates: int = 0
    key: str | None = None

    def put(self, name: str, members: Mapping[str, Any]) -> int:
        """A user adds a record."""
        self.made += 1
        untagged: dict[str, Any] = {"labels": []} if name == "customers" else {}
        self.rows[name][self.made] = {**untagged, **members, "number": self.made, **self._stamp(1)}
        return self.made

    def edit(self, name: str, number: int, members: Mapping[str, Any]) -> None:
        """A user changes a record; objects are merged member by member."""
        row = self.rows[name][number]
        merge(row, members)
        row |= self._stamp(row["meta"]["revision"] + 1)

    def lose_once(self) -> bool:
        """Whether the answer to this update is lost on its way."""
        self.lose_updates -= 1
        return self.lose_updates >= 0

    def _stamp(self, revision: int) -> dict[str, Any]:
        self.ticks += 1
        return {"meta": {"revision": revision, "changed": 1_790_000_000 + self.ticks}}


def merge(row: dict[str, Any], members: Mapping[str, Any]) -> None:
    """RFC 7396, apart from its deletion of nulls."""
    for name, value in members.items():
        if isinstance(value, dict) and isinstance(row.get(name), dict):
            merge(row[name], value)
        else:
            row[name] = value


class _Api:
    """The requests of a shop, answered."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def token(self, request: Request) -> Response:
        form = await request.form()
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return JSONResponse({"error": "invalid_client"}, 401)
        self.shop.tokens += 1
        self.shop.valid.add(f"token-{self.shop.tokens}")
        return JSONResponse({"access_token": f"token-{self.shop.tokens}", "expires_in": 3600})

    async def gate(self, request: Request) -> Response:
        shop, body = self.shop, await request.body()
        shop.seen.append((request.method, str(request.url.path), dict(request.headers), body))
        if not self._is_known(request):
            return JSONResponse({"detail": "no"}, 401)
        if shop.fail_after is not None:
            shop.fail_after -= 1
            if shop.fail_after < 0:
                return JSONResponse({"detail": "broken"}, 503)
        name, number = request.path_params["name"], request.path_params.get("number")
        if name not in COLLECTIONS:
            return JSONResponse({"detail": "no such thing"}, 404)
        answer = (
            self._collection(request, name, body)
            if number is None
            else self._one(request, name, number, body)
        )
        return (
            JSONResponse({"detail": "lost"}, 502)
            if shop.lose_answer and request.method == "POST"
            else answer
        )

    def _is_known(self, request: Request) -> bool:
        if self.shop.key is not None:
            return self.shop.key in (
                request.query_params.get("api_key"),
                request.headers.get("x-api-key"),
            )
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.shop.valid

    def _collection(self, request: Request, name: str, body: bytes) -> Response:
        shop = self.shop
        if request.method == "POST":
            members = json.loads(body)[COLLECTIONS[name]]
            if problem := _problem(name, members):
                return JSONResponse({"detail": problem}, 422)
            number = shop.put(name, members)
            return JSONResponse({COLLECTIONS[name]: shop.rows[name][number]}, 201)
        query = request.query_params
        rows = [
            row for row in shop.rows[name].values() if query.get("mail") in (None, row.get("mail"))
        ]
        return self._listed(request, rows, min(int(query.get("per", "3")), shop.page_cap))

    def _listed(self, request: Request, rows: list[dict[str, Any]], per: int) -> Response:
        shop, query = self.shop, request.query_params
        start = {
            "offset": int(query.get("skip", "0")),
            "page": (int(query.get("page", "1")) - 1) * per,
        }.get(shop.pager, int(query.get("from", "0")))
        after = start if shop.stuck else start + per
        paging: dict[str, Any] = {"count": len(rows) + shop.lie_about_total}
        headers = {}
        if start + per < len(rows) and shop.pager == "cursor":
            paging["next"] = str(after)
        if start + per < len(rows) and shop.pager == "link":
            headers["link"] = (
                f'<{shop.elsewhere}{request.url.path}?per={per}&from={after}>; title="a, b"; rel="next"'
            )
        return JSONResponse(
            {"data": {"rows": rows[start : start + per]}, "paging": paging}, headers=headers
        )

    def _one(self, request: Request, name: str, number: str, body: bytes) -> Response:
        shop = self.shop
        row = shop.rows[name].get(int(number)) if number.isdecimal() else None
        if row is None:
            return JSONResponse({"detail": "no such record"}, 404)
        if request.headers.get("if-match") not in (None, f'"{row["meta"]["revision"]}"'):
            return JSONResponse({"detail": "it moved"}, 412)
        if request.method == "DELETE":
            del shop.rows[name][int(number)]
            return Response(status_code=204)
        if request.method not in ("PATCH", "PUT"):
            return JSONResponse({COLLECTIONS[name]: row})
        members = json.loads(body)[COLLECTIONS[name]]
        if request.method == "PUT":
            members = {
                **dict.fromkeys(MEMBERS[name] & set(row)),
                **{k: v for k, v in members.items() if k not in OURS},
            }
        if problem := _problem(name, members):
            return JSONResponse({"detail": problem}, 422)
        shop.edit(name, int(number), members)
        return (
            JSONResponse({"detail": "lost"}, 502) if shop.lose_once() else Response(status_code=204)
        )


def _problem(name: str, members: Mapping[str, Any]) -> str:
    if unknown := set(members) - MEMBERS[name]:
        return f"unknown members {sorted(unknown)}"
    if not isinstance(members.get("visits", 0), int | None):
        return f"visits: {members['visits']} is not a whole number"
    return ""


def app_of(shop: Shop) -> Starlette:
    """The API of a shop."""
    api = _Api(shop)
    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return Starlette(
        routes=[
            Route("/oauth/token", api.token, methods=["POST"]),
            Route("/v1/{name}", api.gate, methods=methods),
            Route("/v1/{name}/{number}", api.gate, methods=methods),
        ]
    )


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The application over real HTTP on loopback; yields its URL."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        ready = threading.Event()
        while not server.started and thread.is_alive():
            ready.wait(0.005)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
