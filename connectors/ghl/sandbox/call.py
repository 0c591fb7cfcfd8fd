"""One request on its way to a handler: who asks, under which version, for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.ghl.sandbox.answers import WRONG_LOCATION, Refusal, invalid
from connectors.ghl.sandbox.dto import Dto, problems
from connectors.ghl.sandbox.nouns import Contact, Location, Token
from connectors.ghl.sandbox.state import State


@dataclass(slots=True)
class Call:
    """`version` is "v2" (any published version before v3) or "v3".

    `query` has the last value of each parameter.
    """

    state: State
    version: str
    token: Token | None = None
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    extra_lag: float = 0.0

    def checked(self, dto: Dto) -> dict[str, Any]:
        """The body, if it fits. Raises Refusal 422 with every reason."""
        if reasons := problems(dto, self.body, self.version):
            raise invalid(*reasons)
        return self.body

    def location(self, location_id: str | None) -> Location:
        """The location that the request names, if the token reaches it.

        Raises Refusal 403, also when none is named.
        """
        if not location_id or not self.reaches(location_id):
            raise Refusal(403, WRONG_LOCATION)
        return self.state.location(location_id)

    def contact(self) -> Contact:
        """The live contact in the path.

        Raises Refusal 400 when it is gone, 403 when it is another location's.
        """
        contact = self.state.contacts.get(self.path["contactId"])
        if contact is not None and not self.reaches(contact.location_id):
            raise Refusal(403, WRONG_LOCATION)
        return self.state.contact(self.path["contactId"])

    def reaches(self, location_id: str) -> bool:
        """Whether the token may touch this location."""
        token = self.token
        if token is None:
            return False
        if token.location_id is not None:
            installed = token.kind != "oauth" or self.state.location(location_id).installed
            return token.location_id == location_id and installed
        return token.company_id == self.state.location(location_id).company_id

    def home(self) -> str:
        """The token's own location. Raises Refusal 403 for a token without one."""
        if self.token is None or self.token.location_id is None:
            raise Refusal(403, WRONG_LOCATION)
        return self.token.location_id

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query, at most `most`. Raises Refusal 422 when it is not one."""
        raw = self.query.get(name)
        if raw is None or raw == "":
            return default
        if not raw.isdigit():
            raise invalid(f"{name} must be a number string")
        return min(int(raw), most)
