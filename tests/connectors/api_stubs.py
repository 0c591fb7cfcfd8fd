"""JSON APIs that people have, as their documentation says they answer: HubSpot, Pipedrive, Airtable, Directus and Kinto."""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "a-token"
Row = dict[str, Any]


@dataclass
class Stub:
    """What an API holds by collection, and what it was asked: verb, path and body."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    ticks: int = 1_790_000_000_000
    authorization: ClassVar[tuple[str, str]] = ("authorization", f"Bearer {TOKEN}")

    def app(self) -> Starlette:
        """The server."""
        routes = [
            Route(path, self._guarded(answer), methods=["GET", "POST", "PATCH", "DELETE"])
            for path, answer in self.routes().items()
        ]
        return Starlette(routes=routes)

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        """What answers at which path."""
        raise NotImplementedError

    def _guarded(
        self, answer: Callable[[Request, Any], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            content = await request.body()
            body = json.loads(content) if content else None
            self.seen.append((request.method, request.url.path, body))
            header, token = self.authorization
            if request.headers.get(header) != token:
                return JSONResponse({"message": "unauthorized"}, 401)
            return answer(request, body)

        return guarded

    def table(self, request: Request) -> dict[str, Row]:
        """The collection that a path names."""
        return self.rows.setdefault(str(request.path_params["name"]), {})

    def tick(self) -> int:
        """A time that moves on."""
        self.ticks += 1000
        return self.ticks

    def put(self, name: str, key: str, row: Row) -> None:
        """A record that is there before anybody asks."""
        self.rows.setdefault(name, {})[key] = row


def _window(request: Request, rows: Mapping[str, Row], at: str, size: str) -> tuple[list[str], int]:
    """The keys of a page from a position on, and the position of the next one (0: there is none)."""
    begin, count = int(request.query_params.get(at) or 0), int(request.query_params.get(size, 2))
    keys = list(rows)[begin : begin + count]
    following = begin + count
    return keys, following if following < len(rows) else 0


class HubSpot(Stub):
    """CRM objects, v3: properties are texts, only those that are asked for are shown, links are in `associations`; tasks and notes need a time."""

    links: ClassVar[Mapping[str, int]] = {"tasks": 204, "notes": 202}

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        return {"/crm/v3/objects/{name}": self.many, "/crm/v3/objects/{name}/{key}": self.one}

    def shown(self, request: Request, key: str) -> Row:
        row = self.table(request)[key]
        names = request.query_params.get("properties", "createdate").split(",")
        shown: Row = {
            "id": key,
            "properties": {name: row["properties"].get(name) for name in names},
            "updatedAt": row["updatedAt"],
            "archived": False,
        }
        links = row.get("contacts")
        if request.query_params.get("associations") == "contacts" and links:
            results = [{"id": link, "type": "task_to_contact"} for link in links]
            shown["associations"] = {"contacts": {"results": results}}
        return shown

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        if request.method == "POST":
            email = body["properties"].get("email")
            for key, row in table.items():
                if email and row["properties"].get("email") == email:
                    message = f"Contact already exists. Existing ID: {key}"
                    return JSONResponse({"category": "CONFLICT", "message": message}, 409)
            number = self.links.get(request.path_params["name"])
            if number and "hs_timestamp" not in body["properties"]:
                message = "Error creating NOTE. Some required properties were not set."
                return JSONResponse({"category": "VALIDATION_ERROR", "message": message}, 400)
            key = str(900 + len(table))
            table[key] = {"properties": _texts(body["properties"]), "updatedAt": self.stamp()}
            if "associations" in body:
                [link] = body["associations"]
                kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
                assert link["types"] == [kind]
                table[key]["contacts"] = [link["to"]["id"]]
            return JSONResponse(self.shown(request, key), 201)
        keys, following = _window(request, table, "after", "limit")
        page: Row = {"results": [self.shown(request, key) for key in keys]}
        if following:
            page["paging"] = {"next": {"after": str(following), "link": "https://api.hubapi.com/"}}
        return JSONResponse(page)

    def one(self, request: Request, body: Any) -> Response:
        table, key = self.table(request), str(request.path_params["key"])
        if key not in table:
            return JSONResponse({"message": "resource not found"}, 404)
        if request.method == "DELETE":
            del table[key]
            return Response(status_code=204)
        if request.method == "PATCH":
            table[key]["properties"] |= _texts(body["properties"])
            table[key]["updatedAt"] = self.stamp()
        return JSONResponse(self.shown(request, key))

    def stamp(self) -> str:
        """A time as HubSpot writes it."""
        return f"2026-09-21T10:{self.tick() // 1000 % 60:02}:00.000Z"


def _texts(properties: Mapping[str, Any]) -> Row:
    return {name: None if value in (None, "") else str(value) for name, value in properties.items()}


class Pipedrive(Stub):
    """Version 2: a cursor, emails and phones as lists, labels by id, an activity's date and time apart, people as participants."""

    authorization: ClassVar[tuple[str, str]] = ("x-api-token", TOKEN)

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        return {"/api/v2/{name}": self.many, "/api/v2/{name}/{key}": self.one}

    def answer(self, held: Any, status: int = 200, **more: Any) -> Response:
        return JSONResponse({"success": status < 400, "data": held, **more}, status)

    def take(self, row: Row, body: Row) -> None:
        assert "person_id" not in body, "read only in version 2"
        row |= body
        for participant in body.get("participants", []):
            row["person_id"] = participant["person_id"]
        row["update_time"] = f"2026-09-21T10:{self.tick() // 1000 % 60:02}:00Z"

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        if request.method == "POST":
            key = str(900 + len(table))
            row: Row = {"id": int(key), "is_deleted": False}
            row |= (
                {"emails": [], "phones": [], "label_ids": []}
                if "persons" in request.url.path
                else {}
            )
            self.take(row, body)
            table[key] = row
            return self.answer(row, 201)
        keys, following = _window(request, table, "cursor", "limit")
        further = {"next_cursor": str(following) if following else None}
        return self.answer([table[key] for key in keys], additional_data=further)

    def one(self, request: Request, body: Any) -> Response:
        table, key = self.table(request), str(request.path_params["key"])
        if key not in table:
            return self.answer(None, 404, error="not found")
        if request.method == "DELETE":
            return self.answer({"id": table.pop(key)["id"]})
        if request.method == "PATCH":
            self.take(table[key], body)
        return self.answer(table[key])


class Airtable(Stub):
    """Records with `fields`, blanks left out, linked records as lists, an offset that names the next page."""

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        return {"/v0/appBase/{name}": self.many, "/v0/appBase/{name}/{key}": self.one}

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        if request.method == "POST":
            key = f"rec{900 + len(table)}"
            table[key] = {"id": key, "createdTime": "2026-09-21T10:00:00.000Z", "fields": {}}
            self.take(table[key], body)
            return JSONResponse(table[key])
        keys, following = _window(request, table, "offset", "pageSize")
        page: Row = {"records": [table[key] for key in keys]}
        return JSONResponse(page | ({"offset": str(following)} if following else {}))

    def one(self, request: Request, body: Any) -> Response:
        table, key = self.table(request), str(request.path_params["key"])
        if key not in table:
            return JSONResponse({"error": "NOT_FOUND"}, 404)
        if request.method == "DELETE":
            del table[key]
            return JSONResponse({"id": key, "deleted": True})
        if request.method == "PATCH":
            self.take(table[key], body)
        return JSONResponse(table[key])

    def take(self, row: Row, body: Row) -> None:
        assert body.keys() == {"fields"}
        merged = row["fields"] | body["fields"]
        row["fields"] = {
            name: value for name, value in merged.items() if value not in (None, "", [])
        }


class Directus(Stub):
    """Items in `data`, page numbers, a count on request, and 403 for an item that is not there."""

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        return {"/items/{name}": self.many, "/items/{name}/{key}": self.one}

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        if request.method == "POST":
            key = str(900 + len(table))
            table[key] = {**self.blank(table), **body, "id": int(key)}
            return JSONResponse({"data": table[key]})
        size = int(request.query_params["limit"])
        begin = (int(request.query_params["page"]) - 1) * size
        page: Row = {"data": list(table.values())[begin : begin + size]}
        if request.query_params.get("meta") == "total_count":
            page["meta"] = {"total_count": len(table)}
        return JSONResponse(page)

    @staticmethod
    def blank(table: Mapping[str, Row]) -> Row:
        return dict.fromkeys(next(iter(table.values()), {}))

    def one(self, request: Request, body: Any) -> Response:
        table, key = self.table(request), str(request.path_params["key"])
        if key not in table:
            message = "You don't have permission to access this."
            code = {"code": "FORBIDDEN"}
            return JSONResponse({"errors": [{"message": message, "extensions": code}]}, 403)
        if request.method == "DELETE":
            del table[key]
            return Response(status_code=204)
        if request.method == "PATCH":
            table[key] |= body
        return JSONResponse({"data": table[key]})


class Kinto(Stub):
    """Records in `data` both ways, `last_modified` as the ETag, the next page's address in a header of its own."""

    authorization: ClassVar[tuple[str, str]] = ("authorization", "Basic dXNlcjphLXRva2Vu")

    def routes(self) -> Mapping[str, Callable[[Request, Any], Response]]:
        where = "/v1/buckets/crm/collections/{name}/records"
        return {where: self.many, f"{where}/{{key}}": self.one}

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        if request.method == "POST":
            key = f"k{900 + len(table)}"
            table[key] = {**body["data"], "id": key, "last_modified": self.tick()}
            return JSONResponse({"data": table[key], "permissions": {}}, 201)
        keys, following = _window(request, table, "_token", "_limit")
        headers = {"Total-Objects": str(len(table)), "Total-Records": str(len(table))}
        if following:
            asked = dict(request.query_params) | {"_token": str(following)}
            headers["Next-Page"] = str(request.url.replace_query_params(**asked))
        return JSONResponse({"data": [table[key] for key in keys]}, headers=headers)

    def one(self, request: Request, body: Any) -> Response:
        table, key = self.table(request), str(request.path_params["key"])
        if key not in table:
            return JSONResponse({"code": 404, "errno": 110}, 404)
        row = table[key]
        matches = request.headers.get("if-match")
        if matches and matches != f'"{row["last_modified"]}"':
            return JSONResponse({"code": 412, "errno": 114}, 412)
        if request.method == "DELETE":
            del table[key]
            return JSONResponse({"data": {"id": key, "deleted": True}})
        if request.method == "PATCH":
            assert body.keys() == {"data"}
            row |= copy.deepcopy(body["data"])
            row["last_modified"] = self.tick()
        return JSONResponse({"data": row, "permissions": {}})
