"""Every GHL endpoint that this product uses, in both published API versions.

The one table of paths, keys and headers.

Sources: GHL's OpenAPI documents of 2026-06-19 (docs/ghl.md#versions). `replay` follows
docs/ghl.md#errors: creating a record may not be repeated blindly, everything else may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API: method, path template, and whether repeating it is harmless.

    `version` is the Version header that its document asks for where it has one of its own.
    """

    method: str
    path: str
    replay: bool = True
    version: str = ""

    @property
    def name(self) -> str:
        """What it is counted and logged as."""
        return f"{self.method} {self.path}"

    def fill(self, parts: Mapping[str, str]) -> str:
        """The path with its parts, each quoted: a record's key never changes the route."""
        return self.path.format_map({name: quote(value, safe="") for name, value in parts.items()})


_OF_CALENDARS = "2021-04-15"
"""The version that the documents of calendars ask for where others have 2021-07-28."""

_GET, _POST, _PUT, _DELETE = "GET", "POST", "PUT", "DELETE"

_SHARED: dict[str, Endpoint] = {
    "company.list": Endpoint(_GET, "/businesses/"),
    "company.get": Endpoint(_GET, "/businesses/{company}"),
    "company.create": Endpoint(_POST, "/businesses/", replay=False),
    "company.update": Endpoint(_PUT, "/businesses/{company}"),
    "company.delete": Endpoint(_DELETE, "/businesses/{company}"),
    "contact.search": Endpoint(_POST, "/contacts/search"),
    "contact.duplicate": Endpoint(_GET, "/contacts/search/duplicate"),
    "contact.get": Endpoint(_GET, "/contacts/{contact}"),
    # Never upsert: it may update a contact that nobody named, and drops values without a word
    # (docs/ghl.md#contacts).
    "contact.create": Endpoint(_POST, "/contacts/", replay=False),
    "contact.update": Endpoint(_PUT, "/contacts/{contact}"),
    "contact.delete": Endpoint(_DELETE, "/contacts/{contact}"),
    "contact.business": Endpoint(_GET, "/contacts/business/{business}"),
    "bulk.business": Endpoint(_POST, "/contacts/bulk/business"),
    "bulk.tags": Endpoint(_POST, "/contacts/bulk/tags/update/{change}"),
    "tag.add": Endpoint(_POST, "/contacts/{contact}/tags"),
    "tag.remove": Endpoint(_DELETE, "/contacts/{contact}/tags"),
    "tag.list": Endpoint(_GET, "/locations/{location}/tags"),
    "tag.delete": Endpoint(_DELETE, "/locations/{location}/tags/{tag}"),
    "task.search": Endpoint(_POST, "/locations/{location}/tasks/search"),
    "task.list": Endpoint(_GET, "/contacts/{contact}/tasks"),
    "task.get": Endpoint(_GET, "/contacts/{contact}/tasks/{task}"),
    "task.create": Endpoint(_POST, "/contacts/{contact}/tasks", replay=False),
    "task.update": Endpoint(_PUT, "/contacts/{contact}/tasks/{task}"),
    "task.complete": Endpoint(_PUT, "/contacts/{contact}/tasks/{task}/completed"),
    "task.delete": Endpoint(_DELETE, "/contacts/{contact}/tasks/{task}"),
    "note.list": Endpoint(_GET, "/contacts/{contact}/notes"),
    "note.get": Endpoint(_GET, "/contacts/{contact}/notes/{note}"),
    "note.create": Endpoint(_POST, "/contacts/{contact}/notes", replay=False),
    "note.update": Endpoint(_PUT, "/contacts/{contact}/notes/{note}"),
    "note.delete": Endpoint(_DELETE, "/contacts/{contact}/notes/{note}"),
    "opportunity.search": Endpoint(_GET, "/opportunities/search"),
    "opportunity.find": Endpoint(_POST, "/opportunities/search"),
    "opportunity.get": Endpoint(_GET, "/opportunities/{opportunity}"),
    "opportunity.create": Endpoint(_POST, "/opportunities/", replay=False),
    "opportunity.update": Endpoint(_PUT, "/opportunities/{opportunity}"),
    "opportunity.delete": Endpoint(_DELETE, "/opportunities/{opportunity}"),
    "pipeline.list": Endpoint(_GET, "/opportunities/pipelines"),
    "appointment.list": Endpoint(_GET, "/contacts/{contact}/appointments"),
    "appointment.events": Endpoint(_GET, "/calendars/events", version=_OF_CALENDARS),
    "appointment.get": Endpoint(
        _GET, "/calendars/events/appointments/{appointment}", version=_OF_CALENDARS
    ),
    "calendar.list": Endpoint(_GET, "/calendars/", version=_OF_CALENDARS),
    "field.list": Endpoint(_GET, "/locations/{location}/customFields"),
    "location.get": Endpoint(_GET, "/locations/{location}"),
    "oauth.token": Endpoint(_POST, "/oauth/token", replay=False),
}

_V2: dict[str, Endpoint] = {
    "user.list": Endpoint(_GET, "/users/"),  # deprecated (docs/ghl.md#location)
    "oauth.location": Endpoint(_POST, "/oauth/locationToken", replay=False),
    "oauth.installed": Endpoint(_GET, "/oauth/installedLocations"),
}

_V3: dict[str, Endpoint] = {
    "user.list": Endpoint(_GET, "/users/search"),
    "oauth.location": Endpoint(_POST, "/oauth/location-token", replay=False),
    "oauth.installed": Endpoint(_GET, "/oauth/installed-locations"),
}

_SNAKE = (
    "access_token",
    "refresh_token",
    "expires_in",
    "client_id",
    "client_secret",
    "grant_type",
    "user_type",
    "redirect_uri",
    "code_verifier",
)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API version: its endpoints and its Version header.

    What versions spell differently is spelled here.

    `custom_value` is the key of a custom field's value in a write. `oauth` translates OAuth's own
    names.
    """

    version: str
    endpoints: Mapping[str, Endpoint]
    custom_value: str
    oauth: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> Endpoint:
        return self.endpoints[name]

    def parameter(self, name: str) -> str:
        """The name of a parameter that v3 spells in camelCase (docs/ghl.md#opportunities)."""
        if self.version == "v3":
            return _camel(name)
        return name


V2 = Dialect(
    "2021-07-28",
    MappingProxyType({**_SHARED, **_V2}),
    "field_value",
    MappingProxyType({name: name for name in _SNAKE}),
)
_ONE_VERSION = {name: replace(endpoint, version="") for name, endpoint in _SHARED.items()}
V3 = Dialect(
    "v3",
    MappingProxyType({**_ONE_VERSION, **_V3}),
    "fieldValue",
    MappingProxyType({name: _camel(name) for name in _SNAKE}),
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({V2.version: V2, V3.version: V3})
