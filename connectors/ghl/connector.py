"""The GHL side of a pair, behind the one interface that every side fills."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from connectors.ending import Ending
from connectors.ghl import agendas, children, contacts, located, schema
from connectors.ghl.api import Api
from connectors.ghl.auth import PrivateToken
from connectors.ghl.endpoints import DIALECTS
from connectors.ghl.entities import GHL
from connectors.ghl.faults import LOG_IN, ROTATE, explain
from connectors.ghl.finder import Finder
from connectors.ghl.moments import zone_told
from connectors.ghl.outgoing import Spelling
from connectors.ghl.pipelines import PIPELINE, STAGE
from connectors.ghl.reader import Reader
from connectors.ghl.settings import GhlSettings
from connectors.ghl.shapes import record, shape_of
from connectors.ghl.writer import Writer
from connectors.http import Auth, Client, Options, Transport
from connectors.looks import Looks
from connectors.throttle import Budget, Throttle
from reconcile.entities import OWNER, Shown
from reconcile.errors import Forbidden, InvalidField
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import (
    Agenda,
    Description,
    FieldInfo,
    Json,
    Page,
    Proof,
    Record,
    Reply,
    Scope,
    Shape,
    Usage,
    Write,
)

WRITES = (
    OpKind.CREATE,
    OpKind.UPDATE,
    OpKind.COMPLETE,
    OpKind.ADD_TAGS,
    OpKind.REMOVE_TAGS,
    OpKind.ARCHIVE,
    OpKind.DELETE,
)


class GhlConnector:
    """One GHL location.

    `auth` is a PrivateToken or an OAuth; `budget` is shared by all that send to this location (by
    default this connector alone). `clock` gives epoch seconds (in tests; else there is a clock
    beside it that nobody sets, to wait by), `sleep` takes seconds, `jitter` gives a share of one;
    `transport` replaces the network in tests; `ending` says when nothing more is sent.
    """

    side = Side.GHL

    def __init__(
        self,
        settings: GhlSettings,
        *,
        auth: Auth,
        budget: Budget | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        transport: Transport | None = None,
        ending: Ending | None = None,
    ) -> None:
        self.settings = settings
        window = sleep
        if ending:
            # People are told what a run waits for: the window, or another try.
            window = ending.by(sleep, "GHL's window")
            sleep = ending.by(sleep)
        steady, clock = clock or time.monotonic, clock or time.time
        self._throttle = Throttle(
            budget, reserve=settings.daily_reserve, clock=steady, sleep=window
        )
        renewal = ROTATE if isinstance(auth, PrivateToken) else LOG_IN
        self._client = Client(
            settings.url,
            auth=auth,
            throttle=self._throttle,
            explain=partial(explain, renewal=renewal),
            options=_options(settings),
            transport=transport,
            sleep=sleep,
            jitter=jitter,
            ending=ending,
        )
        self.api = Api(self._client, location=settings.location, dialect=DIALECTS[settings.version])
        self._clock = clock
        self._finder = Finder(
            self.api, shapes=self.shape, clock=clock, sleep=sleep, lag_seconds=settings.lag_seconds
        )
        self._looks = Looks()
        self._custom: dict[str, schema.CustomField] | None = None
        self._shaped: dict[Entity, Shape] = {}

    def __repr__(self) -> str:
        return (
            f"GhlConnector(location={self.settings.location!r}, version={self.settings.version!r})"
        )

    def describe(self) -> Description:
        """The location, its custom fields and users (three requests), and pipelines where mapped.

        Raises InvalidField for a field that is not there.
        """
        where = schema.location(self.api)
        self.api.timezone = zone_told(where)
        company = where.get("companyId")
        users = schema.users(self.api, company if isinstance(company, str) else None)
        owners = None
        if users is not None:
            owners = {user.id: user.email for user in users}
        self._custom = self._fetch_custom()
        self._shaped.clear()
        fields = {entity: self._described(entity, users or []) for entity in GHL}
        for entity in GHL:
            if self._mapped(entity):
                self.shape(entity)
        location = str(where.get("id") or self.settings.location)
        return Description(
            identity=":".join(["ghl", location, str(company or "")]),
            places=dict.fromkeys(GHL, f"ghl:{location}"),
            fields=fields,
            region=where.get("country") or None,
            lag_seconds=self.settings.lag_seconds,
            costs=dict.fromkeys(WRITES, 1.0),
            bulk_tags=self.settings.tag_batch,
            modified=frozenset(entity for entity, kind in GHL.items() if kind.dated),
            rewrites_tags=True,
            bulk=self._bulk(),
            timezone=self.api.timezone,
            companies=self._names_linked(),
            owners=owners,
        )

    def _names_linked(self) -> dict[str, str] | None:
        """The names of the companies that contacts are linked to, where they are asked for."""
        if not self.settings.company_names:
            return None
        kinds = set(GHL[OWNER].links.values())
        return {key: name for kind in kinds for key, name in located.names(self.api, kind)}

    def _bulk(self) -> dict[Entity, str]:
        """The search index and the lists have shapes of their own (docs/ghl.md#contacts)."""
        endpoints = {entity: f"{entity}.search" for entity, kind in GHL.items() if kind.searched}
        if self.settings.business_ids:
            endpoints = {OWNER: f"{OWNER}.business"}
        return {entity: self.api.dialect[name].name for entity, name in endpoints.items()}

    def shape(self, entity: Entity) -> Shape:
        """Where pages hold the fields in use.

        Raises InvalidField for one that GHL does not have, with near matches.
        """
        if entity not in self._shaped:
            self._shaped[entity] = self._shape(entity)
        return self._shaped[entity]

    def _shape(self, entity: Entity) -> Shape:
        kind = GHL[entity]
        self._check_read(entity)
        known = tuple(name for name in kind.paths if name not in kind.unread)
        custom: dict[str, str] = {}
        if kind.custom:
            known += tuple(self._customs(entity))
            custom = self._ids(entity)
        return shape_of(entity, self.settings.used(entity, known), custom)

    def _check_read(self, entity: Entity) -> None:
        unread = dict(GHL[entity].unread)
        if self.settings.business_ids and entity is OWNER:
            # The list of a business's contacts tells it in lower case, or as the phone
            # (docs/ghl.md#names).
            unread["name"] = (
                "contacts that are read by business do not show it as it was written: "
                "map firstName and lastName"
            )
        for name in self.settings.fields.get(entity, ()):
            if name in unread:
                raise InvalidField(
                    f"the {entity} field {name!r} cannot be reconciled: {unread[name]}",
                    remedy=(
                        "leave it out of the mapping; it would be read as blank, "
                        "and a blank would be carried over"
                    ),
                    code="UNREAD_FIELD",
                )

    def extract(
        self,
        entity: Entity,
        scope: Scope = Scope(),  # noqa: B008 - frozen
    ) -> Iterator[Page | Proof]:
        """Pages, then a Proof (see the port).

        Raises Expired, Forbidden or WrongLocation; any other fault is in the Proof.
        """
        reader = Reader(self.api, settings=self.settings, clock=self._clock)
        if holder := entity.spec.set_of:
            raise InvalidField(
                f"GHL has no {entity} to extract",
                remedy=f"{entity.plural} are a field of {holder.plural}",
            )
        if entity.parent:
            return reader.children(entity, scope)
        if GHL[entity].listed:
            return reader.located(entity, scope)
        return reader.contacts(scope)

    def count(self, entity: Entity) -> int | None:
        """GHL's own count of the location's contacts, by the search; None of anything else."""
        if entity is not OWNER or self.settings.business_ids:
            return None
        return contacts.search(self.api, page_size=1).total

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record by GET, past the search index; None where it is gone.

        A task or note is read under its `parent`.
        """
        item = self._get(entity, key, parent)
        if item is None or item.get("deleted") is True:
            return None
        return record(item, self.shape(entity), parent=parent)

    def whole(self, entity: Entity, key: str, parent: str | None = None) -> dict[str, Json] | None:
        """The record by GET with all that GHL tells of it, less the times of its changes."""
        item = self._get(entity, key, parent)
        if item is None or item.get("deleted") is True:
            return None
        moving = {GHL[entity].updated, "dateUpdated", "updatedAt"}
        return {name: value for name, value in item.items() if name not in moving}

    def _get(self, entity: Entity, key: str, parent: str | None) -> dict[str, Any] | None:
        if GHL[entity].listed:
            return located.get(self.api, entity, key)
        if not entity.parent:
            return contacts.get(self.api, key)
        if not parent and not GHL[entity].apart:
            raise InvalidField(
                f"{entity.indefinite} is read under its contact, none was named",
                remedy="pass its parent",
            )
        return children.get(self.api, entity, parent or "", key)

    def look(self, write: Write) -> Sequence[Record]:
        """Records that a create in doubt may have made; never a write."""
        return self._finder.look(write)

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write; see Writer.run for what is raised."""
        for write in writes:
            if write.entity.spec.read_only:
                raise InvalidField(f"{write.entity.plural} are never written in GHL")
        clear = None if self.settings.clear_with == "null" else ""
        custom = any(
            write.entity in GHL and GHL[write.entity].custom and self._needs_custom(write.entity)
            for write in writes
        )
        spelling = Spelling(
            self._ids() if custom else {},
            self.api.dialect.custom_value,
            clear,
            self._read_only(),
            self.api.dialect.version,
            whole_dnd=self.settings.dnd_writes == "whole",
        )
        writer = Writer(
            self.api,
            settings=self.settings,
            spelling=spelling,
            shapes=self.shape,
            finder=self._finder,
            read=self.read,
            looks=self._looks,
        )
        return writer.run(writes)

    def agendas(self, kind: Shown, contacts: Sequence[str]) -> Iterator[Agenda]:
        """What is only shown of each contact (see the port), a request a contact."""
        return agendas.read(
            self.api, kind, contacts, zone=self.api.zone(), width=self.settings.concurrency
        )

    def usage(self) -> Usage:
        """Requests so far by endpoint ("contact.create"), and what remains today.

        The window and the answers with 429 are there as well.
        """
        names = {endpoint.name: name for name, endpoint in self.api.dialect.endpoints.items()}
        counts = {
            names.get(template, template): many for template, many in self._client.counts.items()
        }
        daily, reserved = self._throttle.daily()
        return Usage(
            requests=sum(counts.values()),
            remaining_today=self._throttle.remaining_today(),
            daily=daily,
            reserved=reserved,
            window=self._throttle.window(),
            answers_429=self._throttle.refusals,
            by_endpoint=counts,
            looks=self._looks.count,
            longest_look=self._looks.longest,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _mapped(self, entity: Entity) -> bool:
        return not self.settings.fields or entity in self.settings.fields

    def _needs_custom(self, entity: Entity) -> bool:
        used = self.settings.fields.get(entity)
        wanted = not used or any(name not in GHL[entity].paths for name in used)
        return wanted and self._mapped(entity)

    def _customs(self, *entities: Entity) -> dict[str, schema.CustomField]:
        """The custom fields of these kinds by their keys; of all kinds unless told."""
        if not any(kind.custom and self._needs_custom(each) for each, kind in GHL.items()):
            return {}
        if self._custom is None:
            self._custom = self._fetch_custom()
        wanted = entities or tuple(GHL)
        return {key: custom for key, custom in self._custom.items() if custom.entity in wanted}

    def _fetch_custom(self) -> dict[str, schema.CustomField]:
        kinds = (each for each, kind in GHL.items() if kind.custom and self._mapped(each))
        return {custom.key: custom for custom in schema.custom_fields(self.api, *kinds)}

    def _ids(self, *entities: Entity) -> dict[str, str]:
        return {key: custom.id for key, custom in self._customs(*entities).items()}

    def _read_only(self) -> frozenset[str]:
        return frozenset(
            key for key, custom in (self._custom or {}).items() if not custom.info.writable
        )

    def _described(self, entity: Entity, users: Sequence[schema.User]) -> dict[str, FieldInfo]:
        described = dict(GHL[entity].info)
        if users:
            choices = tuple(user.id for user in users)
            for name in GHL[entity].owners:
                described[name] = replace(described[name], choices=choices)
        if GHL[entity].named and self._mapped(entity):
            for name, words in self._names().items():
                described[name] = replace(described[name], choices=words)
        for custom in (self._custom or {}).values():
            if custom.entity is entity:
                described[custom.key] = custom.info
        return described

    def _names(self) -> dict[str, tuple[str, ...]]:
        """What the pipelines and the stages are called; nothing where the token may not ask."""
        try:
            known = self.api.pipelines()
        except Forbidden:
            return {}
        return {PIPELINE: known.names(), STAGE: known.stages()}


def _options(settings: GhlSettings) -> Options:
    return Options(
        user_agent=settings.user_agent,
        headers={"Version": settings.version},
        connect_seconds=settings.connect_seconds,
        read_seconds=settings.read_seconds,
        connections=max(4, settings.concurrency * 2),
        attempts=settings.attempts,
    )
