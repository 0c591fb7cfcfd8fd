"""What an OpenAPI document says of an API's collections.

Where each lies, how it pages, and what its records hold.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flows.init.collections import DEEPEST, TOTALS, Collection, key_of
from flows.init.found import Column
from reconcile.ports import FieldType

Schema = Mapping[str, Any]

_SIZES = (
    "limit",
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "size",
    "take",
    "count",
)
_OFFSETS = ("offset", "skip", "start")
_CURSORS = ("cursor", "after", "page_token", "pageToken", "starting_after")
_SINCE = ("updated_since", "modified_since", "updated_after", "since", "_since")
_NEXT = ("next_cursor", "nextCursor", "next", "next_page_token", "nextPageToken")
_SIZE = 100
"""Records a page where the document names no most."""
_SECRET = "env:APP_TOKEN"  # noqa: S105 - where it is kept, not what it is


@dataclass(frozen=True, slots=True)
class Document:
    """An OpenAPI document, version 3."""

    root: Schema

    @property
    def url(self) -> str | None:
        """The API's address, where the document says it whole."""
        for server in self.root.get("servers", []):
            address = str(server.get("url", ""))
            if address.startswith(("http://", "https://")) and "{" not in address:
                return address.rstrip("/")
        return None

    @property
    def auth(self) -> dict[str, Any] | None:
        """How the API wants to be asked: the first way that is known."""
        schemes = self.root.get("components", {}).get("securitySchemes", {})
        for scheme in schemes.values():
            declared = _auth(self.whole(scheme))
            if declared is not None:
                return declared
        return None

    def collections(self) -> Iterator[Collection]:
        """Each path whose GET answers a list of objects."""
        for template, methods in self.root.get("paths", {}).items():
            if "{" in template or "get" not in methods:
                continue
            answer = self._answer(methods["get"])
            lists = list(self._lists(answer, ""))
            if len(lists) == 1:
                items, row = lists[0]
                yield self._collection(template, methods, items, row)

    def whole(self, schema: Schema) -> Schema:
        """A schema with its reference followed and its parts put together.

        Of its kinds it is the one that is not null.
        """
        for _ in range(DEEPEST * 4):
            if "$ref" in schema:
                schema = self._at(str(schema["$ref"]))
                continue
            kinds = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
            filled = [kind for kind in kinds if kind.get("type") != "null"]
            if not filled:
                break
            schema = filled[0]
        properties = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            properties |= self.whole(part).get("properties", {})
        if properties:
            return {**schema, "properties": properties}
        return schema

    # How it is done.

    def _at(self, reference: str) -> Schema:
        node: Any = self.root
        for step in reference.removeprefix("#/").split("/"):
            if not isinstance(node, Mapping):
                return {}
            node = node.get(step, {})
        return node if isinstance(node, Mapping) else {}

    def _answer(self, operation: Schema) -> Schema:
        responses = operation.get("responses", {})
        for status in ("200", "201", "default"):
            if status in responses:
                return self._content(self.whole(responses[status]))
        return {}

    def _content(self, part: Schema) -> Schema:
        content = part.get("content", {})
        for kind, body in content.items():
            if "json" in kind:
                return self.whole(body.get("schema", {}))
        return {}

    def _lists(self, schema: Schema, place: str) -> Iterator[tuple[str, Schema]]:
        """Where lists of objects lie in an answer, at the top or in an object."""
        if schema.get("items"):
            row = self.whole(schema["items"])
            if row.get("properties"):
                yield place, row
            return
        if place.count(".") >= 1:
            return
        for name, member in schema.get("properties", {}).items():
            path = f"{place}.{name}" if place else name
            yield from self._lists(self.whole(member), path)

    def _collection(self, template: str, methods: Schema, items: str, row: Schema) -> Collection:
        columns = tuple(self._columns(row, "", 0))
        key = key_of(columns)
        said: dict[str, Any] = {}
        if items:
            said["items"] = items
        single = self._single(template)
        said |= self._writing(methods, single, key)
        parameters = [self.whole(one) for one in methods["get"].get("parameters", [])]
        names = [str(one.get("name")) for one in parameters if one.get("in") == "query"]
        since = [name for name in names if name in _SINCE]
        if since:
            said["since"] = since[0]
        sizes = {
            str(one.get("name")): _most(self.whole(one.get("schema", {}))) for one in parameters
        }
        answer = self._answer(methods["get"])
        pager = _pager(names, sizes, list(self._places(answer)))
        if pager:
            said["pager"] = pager
        return Collection(template, columns, key, said)

    def _single(self, template: str) -> Schema:
        pattern = re.compile(re.escape(template.rstrip("/")) + r"/\{[^}/]+\}/?")
        for path, methods in self.root["paths"].items():
            if pattern.fullmatch(path) and isinstance(methods, Mapping):
                return methods
        return {}

    def _writing(self, methods: Schema, single: Schema, key: str | None) -> dict[str, Any]:
        """The verb of an update, and what lies around one record in answers and in requests."""
        said: dict[str, Any] = {}
        verb = "patch" if "patch" in single else "put"
        if verb == "patch":
            said["update"] = "PATCH"
        around = self._around(self._answer(single.get("get", {})), key)
        request = self._content(self.whole(methods.get("post", {}).get("requestBody", {})))
        wrap = self._around(request, None)
        if around:
            said["envelope"] = around
        if request and wrap != around:
            said["wrap"] = wrap
        return said

    def _around(self, schema: Schema, key: str | None) -> str:
        """The one member that holds a record, "" where it is bare."""
        properties: Schema = schema.get("properties", {})
        if key in properties or len(properties) != 1:
            return ""
        [(name, member)] = properties.items()
        if self.whole(member).get("properties"):
            return name
        return ""

    def _columns(self, schema: Schema, prefix: str, depth: int) -> Iterator[Column]:
        for name, member in schema.get("properties", {}).items():
            whole = self.whole(member)
            if re.search(r"[.\[\]]", name):
                continue
            if whole.get("properties") and depth < DEEPEST:
                yield from self._columns(whole, f"{prefix}{name}.", depth + 1)
            else:
                yield Column(prefix + name, _type(whole), _examples(whole), called=name)

    def _places(self, schema: Schema) -> Iterator[str]:
        for column in self._columns(schema, "", 0):
            yield column.name


def _auth(scheme: Schema) -> dict[str, Any] | None:
    kind, how = scheme.get("type"), str(scheme.get("scheme", "")).lower()
    if kind == "http" and how == "bearer":
        return {"kind": "bearer", "token": _SECRET}
    if kind == "http" and how == "basic":
        return {
            "kind": "basic",
            "user": "env:APP_USER",
            "password": _SECRET,
        }
    if kind == "apiKey" and scheme.get("in") in ("header", "query"):
        place = "header" if scheme["in"] == "header" else "param"
        return {
            "kind": "api_key",
            place: scheme["name"],
            "token": _SECRET,
        }
    return None


def _type(schema: Schema) -> FieldType:
    kind, form = schema.get("type"), schema.get("format")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind == "array":
        return "tags"
    known: dict[tuple[Any, Any], FieldType] = {
        ("boolean", None): "bool",
        ("integer", None): "integer",
        ("number", None): "decimal",
        ("string", "date"): "date",
        ("string", "date-time"): "instant",
        ("object", None): "json",
    }
    return known.get((kind, form)) or known.get((kind, None), "text")


def _examples(schema: Schema) -> tuple[str, ...]:
    examples = [schema.get("example")]
    listed = schema.get("examples")
    if isinstance(listed, list):
        examples = [*listed, *examples]
    plain = [one for one in examples if isinstance(one, str | int) and one != ""]
    return tuple(map(str, plain))


def _most(schema: Schema) -> int:
    most = schema.get("maximum")
    if isinstance(most, int | float):
        return int(most)
    return _SIZE


def _pager(names: list[str], sizes: Mapping[str, int], places: list[str]) -> dict[str, Any]:
    """How a collection pages.

    It is told by the names of its parameters and of what stands beside its records.
    """
    more: dict[str, Any] = {"size_param": ""}
    size = next((name for name in _SIZES if name in names), None)
    if size:
        more = {"size_param": size, "size": sizes[size]}
    total = _among(places, TOTALS)
    if total:
        more["total"] = total
    if "page" in names:
        return {"kind": "page", "param": "page", **more}
    offset = next((name for name in _OFFSETS if name in names), None)
    if offset:
        return {"kind": "offset", "param": offset, **more}
    cursor = next((name for name in _CURSORS if name in names), None)
    following = _among(places, _NEXT)
    if cursor and following:
        return {"kind": "cursor", "param": cursor, "next": following, **more}
    return {}


def _among(places: list[str], names: Container[str]) -> str | None:
    """The first place whose last member has one of these names."""
    for place in places:
        if place.rpartition(".")[2] in names:
            return place
    return None
