"""Whether the path of one record leads to records that are there, at the time of a 404.

Only then does it say that one is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from connectors.http import Request
from connectors.rest.api import Api, filled, item_of
from connectors.rest.lines import Form
from connectors.rest.places import find, shows
from connectors.rest.reading import Item
from reconcile.errors import ConnectorError, Malformed, NotFound
from reconcile.model import Entity

Shown: TypeAlias = Callable[[Entity], tuple[Form, Sequence[Item]]]
"""The form of an entity, and some records that its list shows now."""

_PROBES = 3
"""How many records are read by their keys: a list may still show one that was just deleted."""


class Routes:
    """The paths of single records, by template, and whether each is known to lead to one.

    They are asked for from many threads.

    `plain` asks without proof.
    """

    def __init__(self, plain: Api, entities: Mapping[str, Entity], shown: Shown) -> None:
        self._plain = plain
        self._entities = entities
        self._shown = shown
        self._known: dict[str, Malformed | None] = {}
        self._there: dict[str, str] = {}
        self._lock = threading.Lock()

    def leads(self, template: str, path: str) -> None:
        """A request found something there.

        At `path` there is a record ("" where that is not said).
        """
        if template in self._entities:
            self._known[template] = None
            self._there |= {template: path} if path else {}

    def prove(self, template: str) -> None:
        """A request found nothing there.

        Raises ConnectorError where it finds no record that is there either.

        A 404 seldom names the record, and a gateway may begin to answer in the API's place at any
        time: so a record that was there is read again each time.
        """
        if template not in self._entities:
            return
        with self._lock:
            if not self._known.get(template) and not self._still_leads(template):
                self._try(template)
            if error := self._known.get(template):
                raise ConnectorError(error.what, remedy=error.remedy)

    def _still_leads(self, template: str) -> bool:
        """Whether the record that was there last is found now.

        Where not, it may have been deleted as well.
        """
        path = self._there.pop(template, "")
        if not path:
            return False
        with suppress(NotFound):
            self._plain.send(Request("GET", path, endpoint=f"GET {template}", replay=True))
            self._there[template] = path
        return template in self._there

    def _try(self, template: str) -> None:
        """Read what the list shows.

        An empty list shows nothing that could be asked for, and agrees with the 404.
        """
        try:
            form, items = self._shown(self._entities[template])
            if both := pairs(self._plain, form, items):
                self._known[template] = None
                row = both[0][0]
                parent = next(parent for shown, parent in items if shown is row)
                self._there[template] = filled(
                    template, {"key": form.key_of(row), "parent": form.parent_of(row, parent)}
                )
        except NotFound as error:
            raise ConnectorError(
                f"neither the list nor one record is found: {error.what}", remedy=error.remedy
            ) from None
        except Malformed as error:
            self._known[template] = error


def pairs(
    api: Api, form: Form, items: Sequence[Item]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of a list, each with the record that its key leads to.

    Raises Malformed where no key leads to one.
    """
    template, matches = item_of(form.endpoint), []
    probes = [
        (row, form.key_of(row), form.parent_of(row, parent))
        for row, parent in items
        if _is_there(form, row)
    ]
    probes = [each for each in probes if each[2] or "{parent}" not in template][:_PROBES]
    for row, key, parent in probes:
        with suppress(NotFound):
            matches.append((row, api.get(form.endpoint, key, parent)))
    if probes and not matches:
        raise Malformed(
            (
                f'GET {template} does not find record "{probes[0][1]}" that the list shows: '
                "a 404 there does not say that one is gone"
            ),
            remedy=(
                'correct "item", the path of one record; or repeat the run, '
                "if a gateway answered in the API's place"
            ),
        )
    return matches


def unseen(form: Form, row: Mapping[str, Any], record: dict[str, Any]) -> list[str]:
    """The places that are blank in a row of the list and filled in the same record by its key.

    What leaves out blanks has none.
    """
    declared = form.endpoint
    own = {
        declared.tags: form.tags,
        declared.version: form.version,
        declared.modified_at: form.modified_at,
    }
    places = {**form.fields, **{name: path for name, path in own.items() if name}}
    return [
        name
        for name, path in places.items()
        if path and _is_blank(find(row, path)) and not _is_blank(find(record, path))
    ]


def hides_tags(form: Form, row: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether a record by its key leaves out the tags that the list shows.

    What adds one would take away the others.
    """
    return (
        form.tags is not None
        and not _is_blank(find(row, form.tags))
        and not shows(record, form.tags)
    )


def _is_there(form: Form, row: dict[str, Any]) -> bool:
    return not form.record(row).deleted


def _is_blank(value: Any) -> bool:
    return value in (None, "", [], {})
