"""APPNAME as a JSON API that a user declares.

Where things lie in its answers, how it pages, and how it wants to be asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connectors.ending import Ending
from connectors.http import Client, Options, Transport
from connectors.looks import Looks
from connectors.rest.api import Api, item_of
from connectors.rest.auth import Unlogged, auth_of
from connectors.rest.changes import same
from connectors.rest.lines import TAGS, Form, form_of
from connectors.rest.places import leaves, parse
from connectors.rest.reading import Item, Reader, Tally, proven, remedy_of
from connectors.rest.refusals import explain
from connectors.rest.routes import Routes, hides_tags, pairs, unseen
from connectors.rest.settings import (
    AuthSettings,
    EndpointSettings,
    PagerSettings,
    RestSettings,
    bare,
)
from connectors.rest.writing import Writer, record_now
from connectors.throttle import LocalBudget, Throttle, Window
from reconcile.entities import OWNER
from reconcile.errors import ConfigError, ConnectorError, Expired, Problem, Stopped, Transient
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Description, Page, Proof, Record, Reply, Scope, Shape, Usage, Write

__all__ = ["AuthSettings", "EndpointSettings", "PagerSettings", "RestConnector", "RestSettings"]

_EVERYTHING = Scope()
_SAMPLE = 50
"""How many records are looked at to learn the fields of an API that nobody has mapped yet."""
_COMPARE = "compare the declaration with the API's documentation"


def _clock() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RestConnector:
    """One JSON API as the app side; fills reconcile.ports.Connector.

    `transport` and `sleep` are swapped in tests; `ending` says when nothing more is sent. Requests
    are spread over the declared window; a 429 slows them down. `clock` gives the ISO 8601 instant
    for members of new records. `identity` says which API this is where its address does not: one
    that is served anew for every run. `timezone` is that of times without a zone. Raises
    ConfigError for credentials or a query in a URL.
    """

    side = Side.APP

    def __init__(
        self,
        settings: RestSettings,
        *,
        identity: str | None = None,
        timezone: str = "UTC",
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], str] = _clock,
        ending: Ending | None = None,
    ) -> None:
        self._settings, self._clock = settings, clock
        if ending:
            sleep = ending.by(sleep)
        _refuse_credentials(settings)
        _refuse_queries(settings)
        self._identity = identity or f"rest:{settings.url.rstrip('/')}"
        self._zone = ZoneInfo(timezone)
        window = Window(limit=settings.requests, interval=settings.seconds)
        self._throttle = Throttle(LocalBudget(window), reserve=0.0, sleep=sleep)
        options = Options(headers=settings.headers, connections=max(4, settings.concurrency * 2))
        self._login = Client(
            settings.url, options=options, transport=transport, sleep=sleep, ending=ending
        )
        self._client = Client(
            settings.url,
            auth=auth_of(settings.auth, self._login.send),
            throttle=self._throttle,
            explain=explain(list(settings.entities.values())),
            options=options,
            transport=transport,
            sleep=sleep,
            ending=ending,
        )
        self._unlogged: Unlogged | None = None
        keyed: dict[str, str] = {}
        if settings.auth.param:
            # An API key in the query stands in every address, and httpx logs these.
            keyed = {settings.auth.param: settings.auth.token}
            self._unlogged = Unlogged(settings.auth.token)
            logging.getLogger("httpx").addFilter(self._unlogged)
        self._plain = Api(self._client, keyed)
        items = {item_of(endpoint): entity for entity, endpoint in settings.entities.items()}
        self._api = replace(
            self._plain,
            routes=Routes(self._plain, items, lambda e: (self._form(e), self._shown(e))),
        )
        self._forms: dict[Entity, Form] = {}
        self._contacts: tuple[str, ...] | None = None
        self._looks = Looks()

    def __repr__(self) -> str:
        return f"RestConnector({self._settings!r})"

    def describe(self) -> Description:
        """Ask for one page of everything declared, and for three of its records one by one.

        Raises ConfigError with all that does not fit, Expired and the like.
        """
        self._forms.clear()
        problems: list[Problem] = []
        fields = {}
        for entity in self._settings.entities:
            try:
                tally = Tally()
                items = self._shown(entity, tally)
                fields[entity] = self._form(entity).described([item for item, _ in items])
                if not items:  # else single bad records are the run's to report
                    bad = tally.quarantined[:1]
                    problems += [Problem(f"app.{entity}", what, _COMPARE) for what in bad]
                if tally.unpaged:
                    remedy = remedy_of(self._settings.pager_of(entity))
                    problems.append(Problem(f"app.{entity}", tally.unpaged, remedy))
                else:
                    problems += self._compared(entity, items)
            except ConfigError as error:
                problems += error.problems
            except (Expired, Stopped, Transient):
                raise
            except ConnectorError as error:
                remedy = error.remedy or _COMPARE
                problems.append(Problem(f"app.{entity}", error.what, remedy))
        if problems:
            raise ConfigError(problems)
        return Description(
            identity=self._identity,
            fields=fields,
            lag_seconds=self._settings.lag_seconds,
            costs=self._costs(),
            modified=frozenset(
                e for e, endpoint in self._settings.entities.items() if endpoint.modified_at
            ),
            bulk={
                entity: f"GET {endpoint.path}"
                for entity, endpoint in self._settings.entities.items()
            },
            places={
                entity: self._place(endpoint.path)
                for entity, endpoint in self._settings.entities.items()
            },
        )

    def _place(self, path: str) -> str:
        """Where a collection lies.

        Scheme and host in lower case, the port where it is not the scheme's own.
        """
        base = urlsplit(self._settings.url)
        if not self._identity.endswith(self._settings.url.rstrip("/")):  # served anew for every run
            return f"{self._identity}/{path.strip('/')}"
        usual = {"http": 80, "https": 443}.get(base.scheme)
        port = ""
        if base.port not in (None, usual):
            port = f":{base.port}"
        root = base.path.strip("/")
        return f"{base.scheme}://{base.hostname}{port}/{root}/{path.strip('/')}"

    def _costs(self) -> dict[OpKind, float]:
        """Requests per write: one, and one more where the record is read before it."""
        forms = [self._form(entity) for entity in self._settings.entities]
        looks = dict.fromkeys(OpKind, 0.0)
        for form in forms:
            whole = form.endpoint.sends_whole
            fields = [path for path in form.fields.values() if path != form.key]
            marks = [parse(place) for place in form.endpoint.archive]
            if whole or any(map(form.looks_before, fields)):
                looks |= {OpKind.UPDATE: 1.0, OpKind.COMPLETE: 1.0}
            if marks and (whole or any(map(form.looks_before, marks))):
                looks[OpKind.ARCHIVE] = 1.0
            if form.tags is None:
                continue
            if not form.endpoint.add_tags:
                looks[OpKind.ADD_TAGS] = 1.0
            if not form.endpoint.remove_tags:
                looks[OpKind.REMOVE_TAGS] = 1.0
        return {kind: 1.0 + more for kind, more in looks.items()}

    def shape(self, entity: Entity) -> Shape:
        """Where a record of the API holds its fields."""
        return self._form(entity).shape

    def extract(self, entity: Entity, scope: Scope = _EVERYTHING) -> Iterator[Page | Proof]:
        """Pages, then the proof: the totals agreed, every cursor advanced, no key came twice.

        A fault makes it incomplete.
        """
        self._form(entity)
        tally = Tally()
        everything = scope == _EVERYTHING
        pages = self._reader().extract(entity, scope, tally)
        for part in proven(pages, tally, partly=not everything):
            if isinstance(part, Proof) and entity.children and everything:
                # Lists under each contact are read of these: of a part, some would be missed.
                self._contacts = tuple(tally.keys) if part.complete else None
            yield part

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now. Raises ConnectorError when the API does not answer."""
        return record_now(self._api, self._form(entity), key, parent)

    def look(self, write: Write) -> Sequence[Record]:
        """Records that hold exactly what a create wrote, and contacts of the same email.

        They are found by search where one is declared.

        Raises ConnectorError where none is found among records that are not all: the one sought may
        be among the others.
        """
        form, tally = self._form(write.entity), Tally()
        matches = []
        for item, parent in self._candidates(form, write, tally):
            record = form.record(item, parent)
            if not record.deleted and _may_be(record, write):
                matches.append(record)
        doubts = tally.proof(partly=True).why_incomplete
        if doubts and not matches:
            raise ConnectorError(
                f"the record was not found, and not all could be looked at: {doubts}"
            )
        return matches

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write; see Writer.run for what is raised."""
        forms = {entity: self._form(entity) for entity in self._settings.entities}
        self._contacts = None
        concurrency = self._settings.concurrency
        yield from Writer(self._api, forms, concurrency, self._clock, self._looks).run(writes)

    def usage(self) -> Usage:
        """Requests so far by endpoint, the window, and the answers with 429."""
        counts = {**self._login.counts, **self._client.counts}
        return Usage(
            requests=sum(counts.values()),
            remaining_today=self._throttle.remaining_today(),
            window=self._throttle.window(),
            answers_429=self._throttle.refusals,
            by_endpoint=counts,
            looks=self._looks.count,
            longest_look=self._looks.longest,
        )

    def close(self) -> None:
        """Close the connections."""
        if self._unlogged:
            logging.getLogger("httpx").removeFilter(self._unlogged)
        self._client.close()
        self._login.close()

    # How it is done.

    def _form(self, entity: Entity) -> Form:
        if entity not in self._settings.entities:
            what = f"no endpoint is declared for {entity} records"
            raise ConfigError(
                [Problem(f"app.{entity}", what, "declare its path, or leave the entity out")]
            )
        if entity not in self._forms:
            endpoint = self._settings.entities[entity]
            names = self._settings.fields.get(entity) or self._fields_of(entity)
            try:
                self._forms[entity] = form_of(endpoint, names, self._zone)
            except ValueError as error:
                raise ConfigError(
                    [Problem(f"app.{entity}", str(error), "correct the path")]
                ) from None
        return self._forms[entity]

    def _fields_of(self, entity: Entity) -> tuple[str, ...]:
        """The fields of the first records, where no mapping names any."""
        self._forms[entity] = form_of(self._settings.entities[entity], (), self._zone)
        try:
            samples = self._samples(entity)
        finally:
            del self._forms[entity]
        return tuple(dict.fromkeys(name for item in samples for name in leaves(item)))

    def _compared(self, entity: Entity, items: Sequence[Item]) -> list[Problem]:
        """What the list does not show of its records, or they not of it.

        Raises Malformed where no record is found.
        """
        form = self._form(entity)
        both = pairs(self._api, form, items)
        problems = []
        names: set[str] = set()
        for row, record in both:
            names |= set(unseen(form, row, record))
        if names:
            what = f"the list does not show {', '.join(sorted(names))}, the record by its key does"
            problems.append(
                Problem(f"app.{entity}", what, "ask for it with `params`, or leave the field out")
            )
        if any(hides_tags(form, row, record) for row, record in both):
            what = f"the list shows {form.endpoint.tags}, the record by its key does not"
            problems.append(
                Problem(f"app.{entity}", what, 'correct "tags" or "item", or leave the tags out')
            )
        return problems

    def _samples(self, entity: Entity) -> list[dict[str, Any]]:
        return [item for item, _ in self._shown(entity)]

    def _shown(self, entity: Entity, tally: Tally | None = None) -> list[Item]:
        endpoint = self._form(entity).endpoint
        parents: tuple[str | None, ...] = (None,)
        if "{parent}" in endpoint.path:
            owner = self._form(OWNER)
            parents = tuple(owner.key_of(item) for item in self._samples(OWNER)[:3])
        reader, tally = self._reader(), tally or Tally()
        shown: list[Item] = []
        for parent in parents:
            first_page = next(reader.one_list(entity, parent, tally, {}), [])
            shown += first_page
        return shown[:_SAMPLE]

    def _contact_keys(self) -> Sequence[str]:
        """Every contact's key.

        They come from the last complete extraction of this connector, or from one for the purpose.

        Raises ConnectorError where they cannot all be had.
        """
        if self._contacts is None:
            *_, proof = self.extract(OWNER)
            if self._contacts is None:
                why = proof.why_incomplete if isinstance(proof, Proof) else ""
                raise ConnectorError(
                    f"the contacts under which to look could not all be read: {why}"
                )
        return sorted(self._contacts)

    def _reader(self) -> Reader:
        return Reader(
            self._api,
            self._forms,
            {entity: self._settings.pager_of(entity) for entity in self._settings.entities},
            self._settings.url,
            self._settings.concurrency,
            self._contact_keys,
        )

    def _candidates(
        self, form: Form, write: Write, tally: Tally
    ) -> Iterator[tuple[dict[str, Any], str | None]]:
        """What may be the record.

        It is found by each declared search. Else it is all of the list under the parent, else all.
        """
        reader = self._reader()
        searches = []
        for name, parameter in form.endpoint.search.items():
            value = write.fields.get(name)
            if value not in (None, ""):
                searches.append({parameter: value})
        under = searches or "{parent}" in form.endpoint.path
        parent = write.parent if under else None
        for search in searches or [{}]:
            mine = Tally()
            for items in reader.one_list(write.entity, parent, mine, search):
                yield from items
            for why in mine.proof(partly=True).why_incomplete.splitlines():
                tally.doubt(why)


def _refuse_credentials(settings: RestSettings) -> None:
    """A URL is shown and stored: whoever reads a report would read a password in it."""
    urls = {"app.url": settings.url, "app.auth.token_url": settings.auth.token_url}
    remedy = (
        'take them out of the URL, and say in app.auth: kind = "basic", '
        'user = "env:NAME", password = "env:NAME"'
    )
    problems = [
        Problem(where, "holds a user or a password", remedy)
        for where, url in urls.items()
        if bare(url) != url
    ]
    if problems:
        raise ConfigError(problems)


def _refuse_queries(settings: RestSettings) -> None:
    """What stands behind a "?" would be dropped by the first parameter.

    It is not shown, since it may be a key.
    """
    places = {
        f"app.{entity}.{name}": getattr(endpoint, name) or ""
        for entity, endpoint in settings.entities.items()
        for name in ("path", "item", "create")
    }
    remedy = "say it in `params` of the entity; a key goes into app.auth, as `token` and `param`"
    problems = [
        Problem(where, "holds a query or a fragment", remedy)
        for where, address in {"app.url": settings.url, **places}.items()
        if "?" in address or "#" in address
    ]
    if problems:
        raise ConfigError(problems)


def _may_be(record: Record, write: Write) -> bool:
    if write.parent is not None and record.parent not in (None, write.parent):
        return False
    wanted = {
        name: value
        for name, value in write.fields.items()
        if value not in (None, "") and name != TAGS
    }
    fields = record.fields
    if write.entity.spec.person:
        for name, value in wanted.items():
            email = str(fields.get(name) or "")
            if "mail" in name.lower() and email.lower() == str(value).lower():
                return True
    return bool(wanted) and all(same(fields.get(name), value) for name, value in wanted.items())
