"""One write against a declared API: what is sent, what the answer means, and what the record holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from connectors.http import Answer, Request
from connectors.rest.api import Api, decoded, filled, item_of, wrapped
from connectors.rest.lines import TAGS, Form, folded
from connectors.rest.places import parse, put, shows, text
from connectors.rest.refusals import reply_to, unsupported
from reconcile.errors import ConnectorError, InvalidField, Malformed, NotFound, Stale, Uncertain
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Path, Record, Reply, Write

_BLANK: tuple[Json, ...] = (None, "", [])


def same(held: Json, wanted: Json) -> bool:
    """Whether two native values are one: blank is blank, and a number is its text."""
    if held in _BLANK or wanted in _BLANK:
        return held in _BLANK and wanted in _BLANK
    return held == wanted or text(held) == text(wanted)


@dataclass(frozen=True, slots=True)
class Change:
    """One Write on its way to the API. Raises ConnectorError where the API refuses it."""

    api: Api
    form: Form
    write: Write

    def carry_out(self) -> Reply:
        """Do what the write says."""
        match self.write.kind:
            case OpKind.CREATE:
                return self._create()
            case OpKind.UPDATE | OpKind.COMPLETE:
                return self._update(self.write.fields)
            case OpKind.ARCHIVE:
                return self._archive()
            case OpKind.DELETE:
                return self._delete()
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                return self._change_tags()
            case OpKind.ADOPT | OpKind.FORGET:
                raise unsupported(f"{self.write.kind} is not a write to a side", "this is a fault of the plan")
            case _:
                assert_never(self.write.kind)

    # What each kind does.

    def _create(self) -> Reply:
        endpoint = self.form.endpoint
        template = endpoint.create or endpoint.path
        fields = {name: value for name, value in self.write.fields.items() if value is not None}
        body = self._body({**fields, **({TAGS: list(self.write.tags)} if self.write.tags else {})})
        if self.form.parent and self.write.parent and "{parent}" not in template:
            put(body, self.form.parent, self.write.parent)
        for place, constant in endpoint.constants.items():
            put(body, parse(place), constant)
        headers = {endpoint.idempotency: self.write.op_id} if endpoint.idempotency else {}
        path = filled(template, {"parent": self.write.parent})
        request = Request(
            "POST",
            path,
            endpoint=f"POST {template}",
            body=wrapped(endpoint, body),
            headers=headers,
            replay=bool(headers),
        )
        return self._created(self.api.send(request))

    def _created(self, answer: Answer) -> Reply:
        """The new record; where it cannot be read it is there all the same, and its key is what counts."""
        key: str | None = None
        try:
            key = self._key_in(answer)
            return self._done(self._held(answer, key))
        except ConnectorError as error:
            if key is None:
                raise Uncertain(
                    f"the record was created, but the answer does not tell its key: {error.what}",
                    remedy='say in "key" and "envelope" where an answer holds it',
                    trace_id=answer.trace_id,
                ) from None
            return Reply(self.write.op_id, Status.DONE, key=key, detail=error.what, trace_id=answer.trace_id)

    def _key_in(self, answer: Answer) -> str:
        try:
            return self.form.key_of(self.api.unwrapped(self.form.endpoint, answer))
        except Malformed:
            return self._named(answer)

    def _update(self, fields: Mapping[str, Json]) -> Reply:
        try:
            if self.form.endpoint.send == "whole":
                return self._replace(fields)
            self._learn(fields)
            return self._done(self._held(self._sent(self._body(fields), self.write.version), self.write.key))
        except Stale as error:
            return self._told(error, fields)

    def _learn(self, fields: Mapping[str, Json]) -> None:
        """Read the record where a field lies in a list member that nobody has seen: whether it names itself 7 or "7"."""
        if any(self.form.is_unseen(name) for name in fields):
            self.form.learn(self._read())

    def _replace(self, fields: Mapping[str, Json]) -> Reply:
        """The whole record as it is, with the changes in it: for an API whose PUT takes away what it does not name."""
        answer = self.api.answer(self.form.endpoint, self.write.key or "", self.write.parent)
        record = self.form.record(self.api.unwrapped(self.form.endpoint, answer), self.write.parent)
        if all(same(record.fields.get(name), value) for name, value in fields.items()):
            return self._done(record)
        self._expect(record, fields)
        body = self.api.unwrapped(self.form.endpoint, answer, as_sent=True)
        self._put(body, fields)
        return self._done(self._held(self._sent(body, self.write.version or record.version), self.write.key))

    def _archive(self) -> Reply:
        marks = self.form.endpoint.archive
        if not marks:
            raise unsupported(
                "no archive is declared for this endpoint", 'say in "archive" which members hide a record'
            )
        body: dict[str, Any] = {}
        for place, mark in marks.items():
            put(body, parse(place), mark)
        try:
            return self._done(self._held(self._sent(body, self.write.version), self.write.key))
        except NotFound:
            return Reply(self.write.op_id, Status.DONE, key=self.write.key)

    def _delete(self) -> Reply:
        answer = self._item_request("DELETE", None, self.write.version)
        return Reply(self.write.op_id, Status.DONE, key=self.write.key, trace_id=answer.trace_id)

    def _change_tags(self) -> Reply:
        endpoint = self.form.endpoint
        adding = self.write.kind is OpKind.ADD_TAGS
        if verb := endpoint.add_tags if adding else endpoint.remove_tags:
            self._tag_requests(verb)
            return self._done(self.form.record(self._read(), self.write.parent))
        if self.form.tags is None:
            raise unsupported("no tags are declared for this endpoint", 'say in "tags" where a record holds them')
        record = self.form.record(self._read(), self.write.parent)
        before = self._tags_in(record)
        known, named = ({folded(tag) for tag in tags} for tags in (before, self.write.tags))
        if adding:
            after = [*before, *(tag for tag in self.write.tags if folded(tag) not in known)]
        else:
            after = [tag for tag in before if folded(tag) not in named]
        if after == before:
            return self._done(record)
        body = self._body({TAGS: list(after)})
        return self._done(self._held(self._sent(body, record.version), self.write.key))

    def _tag_requests(self, verb: str) -> None:
        method, _, template = verb.partition(" ")
        single = "{tag}" in template
        for tag in self.write.tags if single else self.write.tags[:1]:
            path = filled(template, {"key": self.write.key, "parent": self.write.parent, "tag": tag})
            body: Json = None if single else {TAGS: list(self.form.tag_members(self.write.tags))}
            try:
                self.api.send(Request(method, path, endpoint=f"{method} {template}", body=body, replay=True))
            except NotFound:
                if not single or self.write.kind is OpKind.ADD_TAGS:
                    raise

    # What they are made of.

    def _places(self, fields: Mapping[str, Json]) -> list[tuple[Path, Any]]:
        """Where each field goes, and as what. Raises InvalidField for one that is not declared."""
        places: list[tuple[Path, Any]] = []
        for name, value in fields.items():
            if name == TAGS and self.form.tags is not None:
                tags = [str(tag) for tag in value] if isinstance(value, list) else []
                places.append((self.form.tags, self.form.tag_members(tags)))
                continue
            path = self.form.fields.get(name)
            if path is None:
                raise InvalidField(
                    f"{name}: no such field is declared for this endpoint", remedy="name it in the mapping"
                )
            places.append((path, "" if value is None and self.form.endpoint.clear_with == "empty" else value))
        return places

    def _body(self, fields: Mapping[str, Json]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        self._put(body, fields)
        return body

    def _put(self, body: dict[str, Any], fields: Mapping[str, Json]) -> None:
        for path, value in self._places(fields):
            put(body, path, value, self.form.named)

    def _sent(self, body: dict[str, Any], version: str | None) -> Answer:
        endpoint = self.form.endpoint
        if endpoint.version_member and version is not None:
            put(body, parse(endpoint.version_member), int(version) if version.isdecimal() else version)
        return self._item_request(endpoint.update, wrapped(endpoint, body), version)

    def _item_request(self, method: str, body: Json, version: str | None) -> Answer:
        endpoint, template = self.form.endpoint, item_of(self.form.endpoint)
        path = filled(template, {"key": self.write.key, "parent": self.write.parent})
        headers = {"If-Match": f'"{version}"'} if endpoint.if_match and version is not None else {}
        name = f"{method} {template}"
        return self.api.send(Request(method, path, endpoint=name, body=body, headers=headers, replay=True))

    def _read(self) -> dict[str, Any]:
        return self.api.get(self.form.endpoint, self.write.key or "", self.write.parent)

    def _held(self, answer: Answer, key: str | None) -> Record:
        """The record after a write: what the answer shows, or what a read does where the answer does not show it all."""
        endpoint = self.form.endpoint
        try:
            shown = self.api.unwrapped(endpoint, answer)
            record = self.form.record(shown, self.write.parent)
            # A member that the answer leaves out may be blank, or merely not shown: only a read tells.
            if all(shows(shown, path) for path in self.form.fields.values()):
                return record
        except Malformed:
            pass  # an answer without the record: a status, or nothing at all
        return self.form.record(self.api.get(endpoint, key or "", self.write.parent), self.write.parent)

    def _named(self, answer: Answer) -> str:
        """The key of a new record where the answer holds nothing else. Raises Malformed where it tells none.

        Only with 201 is Location the address of what was created (RFC 9110); with 202 it may be that of the work.
        """
        location = answer.headers.get("location", "").split("?")[0].rstrip("/")
        if location and answer.status == 201:
            return location.rpartition("/")[2]
        return self.form.key_of(decoded(answer))

    def _expect(self, record: Record, fields: Mapping[str, Json]) -> None:
        moved = [
            name
            for name, value in self.write.expected.items()
            if not same(record.fields.get(name), value) and not same(record.fields.get(name), fields.get(name))
        ]
        if self.write.version is not None and record.version != self.write.version:
            moved.append("its version")
        if moved:
            raise Stale(f"changed since the plan was made: {', '.join(moved)}", remedy="plan again")

    def _told(self, error: Stale, fields: Mapping[str, Json]) -> Reply:
        """After a refusal for the version: done where the record holds what was wanted, since it may have been ours."""
        try:
            record = self.form.record(self._read(), self.write.parent)
        except ConnectorError:
            return reply_to(self.write, error)
        if all(same(record.fields.get(name), value) for name, value in fields.items()):
            return self._done(record)
        return Reply(self.write.op_id, Status.STALE, record=record, key=record.key, code=error.code, detail=error.what)

    @staticmethod
    def _tags_in(record: Record) -> Sequence[str]:
        held = record.fields.get(TAGS)
        return [str(tag) for tag in held] if isinstance(held, list) else []

    def _done(self, record: Record) -> Reply:
        return Reply(self.write.op_id, Status.DONE, record=record, key=record.key)
