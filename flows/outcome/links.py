"""Leads to a record where people see it: in GHL and in the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from reconcile.entities import OWNER
from reconcile.model import Entity, Side

if TYPE_CHECKING:
    from flows.config import Pair


class Located(Protocol):
    """A record that was seen: `values` is empty of one that is gone."""

    @property
    def side(self) -> Side:
        """Where it is."""

    @property
    def key(self) -> str:
        """Its key there."""

    @property
    def under(self) -> str | None:
        """The key of its contact, of what hangs on one."""

    @property
    def values(self) -> Mapping[str, Any]:
        """What it holds."""


_GHL = "https://app.gohighlevel.com/v2/location/{location}/contacts/detail/{key}"
"""GHL's own page of a contact, as its address bar shows it; GHL documents no such address."""


@dataclass(frozen=True, slots=True)
class Links:
    """The address of a contact's page on each side, with `{key}` in it.

    None where there is none.
    """

    app: str | None = None
    ghl: str | None = None

    def to(self, entity: str, record: Located) -> str | None:
        """The page of a record: of a task or a note, that of its contact."""
        if Entity(entity).record is OWNER and not record.values:
            return None
        return self.page(entity, record.side, record.key, under=record.under)

    def page(self, entity: str, side: Side, key: str, *, under: str | None = None) -> str | None:
        """The page of a record by its key.

        Of what hangs on a contact, it is the page of the contact that `under` says.

        None where its side has no such page, as of a company.
        """
        pattern = self.app if side is Side.APP else self.ghl
        place = key if Entity(entity).record is OWNER else under
        if pattern is None or place is None:
            return None
        return pattern.replace("{key}", quote(place, safe=""))


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
