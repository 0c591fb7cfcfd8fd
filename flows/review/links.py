"""Leads from a question to its records, where people see them: in GHL and in the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from flows.review.questions import Shown
from reconcile.model import Entity, Side

if TYPE_CHECKING:
    from flows.config import Pair

_GHL = "https://app.gohighlevel.com/v2/location/{location}/contacts/detail/{key}"
"""GHL's own page of a contact, as its address bar shows it; GHL documents no such address."""


@dataclass(frozen=True, slots=True)
class Links:
    """The address of a contact's page on each side, with `{key}` in it.

    None where there is none.
    """

    app: str | None = None
    ghl: str | None = None

    def to(self, entity: str, record: Shown) -> str | None:
        """The page of a record: of a task or a note, that of its contact."""
        pattern = self.app if record.side is Side.APP else self.ghl
        own = not Entity(entity).record.parent
        key = record.key if own else record.under
        if pattern is None or key is None or (own and not record.values):
            return None
        return pattern.replace("{key}", quote(key, safe=""))


NO_LINKS = Links()
"""What is known of records' pages without a pair file."""


def links_of(pair: Pair) -> Links:
    """The links that a pair file makes possible. GHL's look-alike has no pages."""
    from flows.config.clear import is_loopback

    app = getattr(pair.app, "link", None)
    if pair.ghl.link is not None:
        return Links(app, pair.ghl.link)
    if pair.is_sandbox or is_loopback(pair.ghl.url):
        return Links(app, None)
    return Links(app, _GHL.replace("{location}", quote(pair.ghl.location, safe="")))
