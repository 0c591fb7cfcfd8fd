"""Both sides as people see and change them, past the job: the app's copy, and GHL's look-alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.ghl.consents import INBOUND, PATHS
from connectors.ghl.consents import INFO as CONSENTS
from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import Sandbox
from connectors.ghl.shapes import record
from flows.rehearse.book import Ident
from flows.rehearse.fields import Played, belongs, sorts
from flows.rehearse.rules import Row, Value
from flows.rehearse.sample import records_of
from reconcile.entities import OWNER, RECORDS
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Connector, Record, Write
from reconcile.values.mapping import TAGS
from reconcile.values.mapping import Mapping as PairMapping

_CHANNEL = 3
"""The members of the path to what one channel says by itself."""

Held = Mapping[Entity, list[Row]]
"""What a side holds, by kind; whose a task is is the contact's key there."""

Typing = Mapping[str, Value]
"""Values by field; of tags and other sets the whole set, as its codec has it."""


class Screen(Protocol):
    """Where people of one side look at records and change them."""

    def rows(self) -> Held:
        """Everything that the pair is about."""

    def others(self) -> Iterator[tuple[Ident, Any]]:
        """The records that are not of this pair."""

    def edit(self, entity: Entity, key: str, values: Typing) -> bool:
        """Type values; whether the side took them."""

    def add(self, entity: Entity, of: str | None, values: Typing) -> str | None:
        """Enter a new record; its key, or None where the side refused it."""

    def delete(self, entity: Entity, key: str) -> bool:
        """Delete a record; whether the side did so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the records of a side are made of."""

    mapping: PairMapping
    fields: list[Played]

    def held(self, records: Callable[[Entity], Iterator[Record]], side: Side) -> Held:
        """Everything: what hangs on a contact that is gone is gone with it."""
        found: dict[Entity, list[Row]] = {}
        for entity in self.kinds():
            rows = self.rows(entity, records(entity), side)
            if entity.parent is not None:
                owners = {row.key for row in found.get(entity.parent, ())}
                rows = [row for row in rows if row.of in owners]
            found[entity] = rows
        return found

    def rows(self, entity: Entity, records: Iterator[Record], side: Side) -> list[Row]:
        """The rows of the records that the pair is about."""
        mapped = self.mapping[entity]
        fields = [one for one in self.fields if one.entity is entity]
        found = []
        for each in records:
            if belongs(mapped, each, side):
                cells: dict[str, Value] = {}
                for one in fields:
                    cells |= one.read(each.fields, side)
                found.append(
                    Row(
                        each.key,
                        each.parent,
                        cells,
                    )
                )
        return found

    def others(
        self,
        records: Callable[[Entity], Iterator[Record]],
        side: Side,
    ) -> Iterator[tuple[Ident, Any]]:
        """The records that a rule or a constant leaves out, as they are."""
        for entity in self.kinds():
            mapped = self.mapping[entity]
            for each in records(entity) if sorts(mapped) else ():
                if not belongs(mapped, each, side):
                    yield (entity.value, f"{side} {each.key}"), dict(each.fields)

    def native(self, entity: Entity, values: Typing, side: Side) -> dict[str, Any]:
        """Values by native field."""
        known = {one.name: one for one in self.fields if one.entity is entity}
        return {
            known[name].field.native(side)[0]: known[name].write(value, side)
            for name, value in values.items()
        }

    def kinds(self) -> list[Entity]:
        """The kinds that are mapped, parents first."""
        return [entity for entity in RECORDS if entity in self.mapping]


@dataclass(frozen=True, slots=True)
class AppScreen:
    """The app, by a connector of the rehearsal's own."""

    connector: Connector
    seen: Seen

    def rows(self) -> Held:
        """Everything that the pair is about."""
        return self.seen.held(self._records, Side.APP)

    def others(self) -> Iterator[tuple[Ident, Any]]:
        """The records that are not of this pair."""
        return self.seen.others(self._records, Side.APP)

    def _records(self, entity: Entity) -> Iterator[Record]:
        return records_of(self.connector, entity)

    def edit(self, entity: Entity, key: str, values: Typing) -> bool:
        """Type values; whether the app took them."""
        native = self.seen.native(entity, values, Side.APP)
        tags = native.pop(TAGS, None)
        done = not native or self._written(
            OpKind.UPDATE,
            entity,
            key,
            fields=native,
        )
        return self._retag(key, tags) and done if tags is not None else done

    def _retag(self, key: str, wanted: list[str]) -> bool:
        held = self.connector.read(OWNER, key)
        before = held.fields.get(TAGS) if held else None
        tags = [str(tag) for tag in before] if isinstance(before, list) else []
        gone = tuple(tag for tag in tags if tag not in wanted)
        new = tuple(tag for tag in wanted if tag not in tags)
        kinds = ((OpKind.REMOVE_TAGS, gone), (OpKind.ADD_TAGS, new))
        asked = [(kind, words) for kind, words in kinds if words]
        return all(
            self._written(
                kind,
                OWNER,
                key,
                tags=words,
            )
            for kind, words in asked
        )

    def add(self, entity: Entity, of: str | None, values: Typing) -> str | None:
        """Enter a new record; its key, or None where the app refused it."""
        native = self.seen.native(entity, values, Side.APP)
        tags = native.pop(TAGS, None)
        write = Write(
            "typed",
            OpKind.CREATE,
            entity,
            parent=of,
            fields=native,
        )
        (reply,) = self.connector.write([write])
        if reply.status is not Status.DONE or reply.key is None:
            return None
        if tags:
            self._retag(reply.key, tags)
        return reply.key

    def delete(self, entity: Entity, key: str) -> bool:
        """Delete a record; whether the app did so."""
        return self._written(OpKind.DELETE, entity, key)

    def _written(self, kind: OpKind, entity: Entity, key: str, **more: Any) -> bool:
        (reply,) = self.connector.write(
            [
                Write(
                    "typed",
                    kind,
                    entity,
                    key,
                    **more,
                )
            ]
        )
        return reply.status is Status.DONE


@dataclass(frozen=True, slots=True)
class GhlScreen:
    """GHL's look-alike, past its API. `custom` gives the id of a custom field by its key."""

    sandbox: Sandbox
    location: str
    connector: Connector
    seen: Seen
    custom: Mapping[str, str]
    businesses: frozenset[str] = frozenset()
    """The companies whose contacts alone the pair is about; none: all."""

    def rows(self) -> Held:
        """Everything that the pair is about."""
        return self.seen.held(self._records, Side.GHL)

    def others(self) -> Iterator[tuple[Ident, Any]]:
        """The records that are not of this pair."""
        return self.seen.others(self._records, Side.GHL)

    def _records(self, entity: Entity) -> Iterator[Record]:
        shape = self.connector.shape(entity)
        for one in getattr(self.sandbox, GHL[entity].listed or entity.plural)(self.location):
            others = bool(self.businesses) and one.get("businessId") not in self.businesses
            if entity is OWNER and others:
                continue
            if entity.parent is not None and not one.get("contactId"):
                continue  # a task of the location alone
            yield record(one, shape)

    def _hand(self, does: str, entity: Entity) -> Callable[..., Any]:
        """What somebody does to a record on GHL's screens."""
        noun = "business" if GHL[entity].listed else entity.value
        hand: Callable[..., Any] = getattr(self.sandbox, f"{does}_{noun}")
        return hand

    def _wire(self, entity: Entity, values: Typing, key: str = "") -> dict[str, Any]:
        wire: dict[str, Any] = {}
        for name, value in self.seen.native(
            entity,
            values,
            Side.GHL,
        ).items():
            if name in self.custom:
                custom = wire.setdefault("customFields", [])
                custom.append({"id": self.custom[name], "value": value})
            elif name in CONSENTS:
                self._say(wire, key, name, value)
            else:
                wire[name] = value
        return wire

    def _say(self, wire: dict[str, Any], key: str, name: str, status: Any) -> None:
        """Set one channel; what is said of the others stays."""
        member, channel = next(path[:2] for path in PATHS[name] if len(path) == _CHANNEL)
        before: Mapping[str, Any] = {}
        if key:
            contact = self.sandbox.state.contact(key)
            before = contact.inbound_dnd if member == INBOUND else contact.dnd_settings
        said = wire.setdefault(str(member), dict(before))
        said.pop(channel, None)
        if status is not None:
            said[channel] = {"status": status}

    def edit(self, entity: Entity, key: str, values: Typing) -> bool:
        """Type values: GHL's screens take any but a stage that is not of the pipeline."""
        try:
            self._hand("edit", entity)(key, **self._wire(entity, values, key))
        except KeyError:
            return False
        return True

    def add(self, entity: Entity, of: str | None, values: Typing) -> str | None:
        """Enter a new record; its key, or None where GHL's screens did not take it."""
        wire = {name: one for name, one in self._wire(entity, values).items() if one is not None}
        place = of if entity.parent is not None else self.location
        try:
            key: str = self._hand("seed", entity)(place, **wire)
        except KeyError:
            return None
        return key

    def delete(self, entity: Entity, key: str) -> bool:
        """Delete a record."""
        self._hand("delete", entity)(key)
        return True
