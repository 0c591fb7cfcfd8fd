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

    rows: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in COLLECTIONS})
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
    key: str | None = None

    def put(self, name: str, members: Mapping[str, Any]) -> int:
        """A user adds a record."""
        self.made += 1
        self.rows[name][self.made] = {**members, "number": self.made, **self._stamp(1)}
        return self.made

    def edit(self, name: str, number: int, members: Mapping[str, Any]) -> None:
        """A user changes a record; objects are merged member by member."""
        row = self.rows[name][number]
        merge(row, members)
        row |= self._stamp(row["meta"]["revision"] + 1)

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


def app_of(shop: Shop) -> Starlette:
    """The API of a shop."""

    async def token(request: Request) -> Response:
        form = await request.form()
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return JSONResponse({"error": "invalid_client"}, 401)
        shop.tokens += 1
        shop.valid.add(f"token-{shop.tokens}")
        return JSONResponse({"access_token": f"token-{shop.tokens}", "expires_in": 3600})

    async def gate(request: Request) -> Response:
        body = await request.body()
        shop.seen.append((request.method, request.url.path, dict(request.headers), body))
        if shop.key is not None:
            if request.query_params.get("api_key", request.headers.get("x-api-key")) != shop.key:
                return JSONResponse({"detail": "no"}, 401)
        elif request.headers.get("authorization", "").removeprefix("Bearer ") not in shop.valid:
            return JSONResponse({"detail": "no"}, 401)
        if shop.fail_after is not None:
            shop.fail_after -= 1
            if shop.fail_after < 0:
                return JSONResponse({"detail": "broken"}, 503)
        name = request.path_params["name"]
        if name not in COLLECTIONS:
            return JSONResponse({"detail": "no such thing"}, 404)
        number = request.path_params.get("number")
        answer = collection(request, name, body) if number is None else one(request, name, number, body)
        return JSONResponse({"detail": "lost"}, 502) if shop.lose_answer and request.method == "POST" else answer

    def collection(request: Request, name: str, body: bytes) -> Response:
        if request.method == "POST":
            members = json.loads(body)[COLLECTIONS[name]]
            if problem := check(name, members):
                return JSONResponse({"detail": problem}, 422)
            number = shop.put(name, members)
            return JSONResponse({COLLECTIONS[name]: shop.rows[name][number]}, 201)
        query = request.query_params
        rows = [row for row in shop.rows[name].values() if query.get("mail") in (None, row.get("mail"))]
        return listed(request, rows, int(query.get("per", "3")))

    def listed(request: Request, rows: list[dict[str, Any]], per: int) -> Response:
        query, per = request.query_params, min(per, shop.page_cap)
        if shop.pager in ("link", "cursor"):
            start = int(query.get("from", "0"))
        elif shop.pager == "offset":
            start = int(query.get("skip", "0"))
        else:
            start = (int(query.get("page", "1")) - 1) * per
        part, more = rows[start : start + per], start + per < len(rows)
        after = start if shop.stuck else start + per
        body: dict[str, Any] = {"data": {"rows": part}, "paging": {"count": len(rows) + shop.lie_about_total}}
        headers = {}
        if more and shop.pager == "cursor":
            body["paging"]["next"] = str(after)
        if more and shop.pager == "link":
            headers["link"] = f'<{shop.elsewhere}{request.url.path}?per={per}&from={after}>; title="a, b"; rel="next"'
        return JSONResponse(body, headers=headers)

    def one(request: Request, name: str, number: str, body: bytes) -> Response:
        row = shop.rows[name].get(int(number)) if number.isdecimal() else None
        if row is None:
            return JSONResponse({"detail": "no such record"}, 404)
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted != f'"{row["meta"]["revision"]}"':
            return JSONResponse({"detail": "it moved"}, 412)
        if request.method == "DELETE":
            del shop.rows[name][int(number)]
            return Response(status_code=204)
        if request.method in ("PATCH", "PUT"):
            members = json.loads(body)[COLLECTIONS[name]]
            if request.method == "PUT":
                members = {
                    **dict.fromkeys(MEMBERS[name] & set(row)),
                    **{k: v for k, v in members.items() if k not in OURS},
                }
            if problem := check(name, members):
                return JSONResponse({"detail": problem}, 422)
            shop.edit(name, int(number), members)
            return Response(status_code=204)
        return JSONResponse({COLLECTIONS[name]: row})

    def check(name: str, members: Mapping[str, Any]) -> str:
        if unknown := set(members) - MEMBERS[name]:
            return f"unknown members {sorted(unknown)}"
        if not isinstance(members.get("visits", 0), int | None):
            return f"visits: {members['visits']} is not a whole number"
        return ""

    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return Starlette(
        routes=[
            Route("/oauth/token", token, methods=["POST"]),
            Route("/v1/{name}", gate, methods=methods),
            Route("/v1/{name}/{number}", gate, methods=methods),
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
