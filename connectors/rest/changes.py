"""One write against a declared API: what is sent, what is answered, what the record holds then."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

import msgspec

from connectors.http import Answer, Request
from connectors.rest.api import Api, decoded, filled, item_of, wrapped
from connectors.rest.lines import TAGS, Form, folded
from connectors.rest.places import fill, filled_in, find, lost, merge, parse, put, shows, text
from connectors.rest.refusals import reply_to, unsupported
from reconcile.errors import (
    ConnectorError,
    Forbidden,
    InvalidField,
    Malformed,
    NotFound,
    Stale,
    Uncertain,
)
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Path, Record, Reply, Write

Places: TypeAlias = Sequence[tuple[Path, Any]]
"""Where a change puts what."""

Seen: TypeAlias = tuple[Record, dict[str, Any]]
"""A record, and the JSON that shows it."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_BLANK: tuple[Json, ...] = (None, "", [])


def same(current: Json, wanted: Json) -> bool:
    """Whether two native values are one: blank is blank, and a number is its text."""
    if current in _BLANK or wanted in _BLANK:
        return current in _BLANK and wanted in _BLANK
    return current == wanted or text(current) == text(wanted)


@dataclass(frozen=True, slots=True)
class Before:
    """A record before a change: as read, as answered, and as it can be sent back digit by digit."""

    record: Record
    shown: dict[str, Any]
    sendable: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One Write on its way to the API. Raises ConnectorError where the API refuses it."""

    api: Api
    form: Form
    write: Write
    now: str

    def carry_out(self) -> Reply:
        """Do what the write says."""
        match self.write.kind:
            case OpKind.CREATE:
                return self._create()
            case OpKind.UPDATE | OpKind.COMPLETE:
                return self._update()
            case OpKind.ARCHIVE:
                return self._archive()
            case OpKind.DELETE:
                return self._delete()
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                return self._change_tags()
            case OpKind.ADOPT | OpKind.FORGET:
                raise unsupported(
                    f"{self.write.kind} is not a write to a side", "this is a fault of the plan"
                )
            case _:
                assert_never(self.write.kind)

    # What each kind does.

    def _create(self) -> Reply:
        endpoint = self.form.endpoint
        template = endpoint.create or endpoint.path
        fields = {name: value for name, value in self.write.fields.items() if value is not None}
        if self.write.tags:
            fields[TAGS] = list(self.write.tags)
        body = self._put({}, self._places(fields))
        if self.write.parent and "{parent}" not in template:
            self._link(body, self.write.parent)
        for place, constant in endpoint.constants.items():
            put(body, parse(place), constant)
        fill(body, endpoint.on_create, self.now)
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

    def _link(self, body: dict[str, Any], contact: str) -> None:
        """Say in a new record which contact it belongs to."""
        place, declared = self.form.parent, self.form.endpoint.create_link
        if declared:
            number = place is not None and self.form.numbers.get(place) and _is_number(contact)
            key = msgspec.Raw(contact.encode()) if number else contact
            merge(body, filled_in(declared, "{parent}", key))
        elif place is not None:
            put(body, place, self._as_held(place, contact))

    def _created(self, answer: Answer) -> Reply:
        """The new record.

        Where it cannot be read it is there all the same, and its key is what counts.
        """
        key: str | None = None
        try:
            key = self._key_in(answer)
            return self._done(self._seen(answer, key)[0])
        except ConnectorError as error:
            if key is None:
                raise Uncertain(
                    f"the record was created, but the answer does not tell its key: {error.what}",
                    remedy='say in "key" and "envelope" where an answer holds it',
                    trace_id=answer.trace_id,
                ) from None
            if self._may_be_a_job(answer, error):
                raise Uncertain(
                    f"the answer to the create may name a job instead of a record: {error.what}",
                    remedy="look for the record before repeating",
                    trace_id=answer.trace_id,
                ) from None
            return Reply(
                self.write.op_id, Status.DONE, key=key, detail=error.what, trace_id=answer.trace_id
            )

    def _may_be_a_job(self, answer: Answer, error: ConnectorError) -> bool:
        """Whether what a create gave cannot be read.

        Either it was accepted alone (202), or the answer shows no field of a record.

        With 201 it was created (RFC 9110), however little the answer shows of it.
        """
        if answer.status == 202:
            return True
        record = find(answer.parsed(), parse(self.form.endpoint.envelope or ""))
        blank = not any(shows(record, path) for path in self.form.fields.values())
        return answer.status != 201 and blank and isinstance(error, NotFound | Malformed)

    def _key_in(self, answer: Answer) -> str:
        try:
            return self.form.key_of(self.api.unwrapped(self.form.endpoint, answer))
        except Malformed:
            return self._named(answer)

    def _update(self) -> Reply:
        try:
            unseen = any(self._is_unseen(*field) for field in self.write.fields.items())
            return self._changed(self._places(self.write.fields), unseen=unseen)
        except Stale as error:
            return self._reply_to(error)

    def _is_unseen(self, name: str, value: Json) -> bool:
        """Whether only the record tells how a field goes, such as 7 or "7" as a member's name."""
        return self.form.is_unseen(name) or (
            _is_number(value) and self.form.fields.get(name, ()) not in self.form.numbers
        )

    def _archive(self) -> Reply:
        marks = self.form.endpoint.archive
        if not marks:
            raise unsupported(
                "no archive is declared for this endpoint",
                'say in "archive" which members hide a record',
            )
        try:
            return self._changed([(parse(place), mark) for place, mark in marks.items()])
        except NotFound:
            return Reply(self.write.op_id, Status.DONE, key=self.write.key)

    def _changed(self, changes: Places, *, unseen: bool = False) -> Reply:
        """Make changes.

        Where more goes with them than they are, it goes only if needed and if it is as the plan saw
        it.
        """
        versioned = self.write.version is not None
        looks = unseen or self.form.endpoint.sends_whole
        if not looks and not self._looks_before(changes, versioned=versioned):
            return self._send(changes, None, self.write.version)
        before = self._before()
        if all(same(find(before.shown, path), value) for path, value in changes):
            return self._done(before.record)
        self._expect(before.record)
        return self._send(changes, before, self.write.version or before.record.version)

    def _looks_before(self, changes: Places, *, versioned: bool) -> bool:
        """Whether the record is read first, because a change lies inside one of its members."""
        return any(
            self.form.looks_before(path) for path in self._paths(changes, versioned=versioned)
        )

    def _paths(self, changes: Places, *, versioned: bool) -> list[Path]:
        """Where a request puts something: the changes, and the version that it names."""
        paths = [path for path, _ in changes]
        named = self.form.endpoint.version_member
        if versioned and named:
            paths.append(parse(named))
        return paths

    def _delete(self) -> Reply:
        answer = self._item_request("DELETE", None, self.write.version)
        return Reply(self.write.op_id, Status.DONE, key=self.write.key, trace_id=answer.trace_id)

    def _change_tags(self) -> Reply:
        endpoint = self.form.endpoint
        adding = self.write.kind is OpKind.ADD_TAGS
        verb = endpoint.add_tags if adding else endpoint.remove_tags
        if verb:
            self._tag_requests(verb)
            return self._done(self._read_back(self.write.key)[0])
        before = self._before()
        after = self._tags_after(before, adding=adding)
        if after is None:
            return self._done(before.record)
        return self._send([after], before, before.record.version)

    def _tags_after(self, before: Before, *, adding: bool) -> tuple[Path, list[Any]] | None:
        """Where the tags lie, and all of them after the change, those that stay as they came.

        None where it changes nothing.
        """
        place = self.form.tags
        if place is None:
            raise unsupported(
                "no tags are declared for this endpoint", 'say in "tags" where a record holds them'
            )
        if not shows(before.shown, place):
            raise InvalidField(
                (
                    "the record read by its key does not show its tags: "
                    "to write some would take away the others"
                ),
                remedy='say in "add_tags" and "remove_tags" how tags are changed one by one',
            )
        names = [folded(name) for name, _ in self.form.tag_pairs(before.shown)]
        members = [member for _, member in self.form.tag_pairs(before.sendable)]
        if adding:
            new = [tag for tag in self.write.tags if folded(tag) not in names]
            after = [*members, *self.form.tag_members(new)]
        else:
            named = {folded(tag) for tag in self.write.tags}
            after = [
                member for name, member in zip(names, members, strict=True) if name not in named
            ]
        if len(after) == len(members):
            return None
        return (place, after)

    def _tag_requests(self, verb: str) -> None:
        method, _, template = verb.partition(" ")
        single = "{tag}" in template
        body: Json = None
        requests = self.write.tags
        if not single:  # one request with all of them
            body = {TAGS: list(self.form.tag_members(self.write.tags))}
            requests = self.write.tags[:1]
        for tag in requests:
            members = {"key": self.write.key, "parent": self.write.parent, "tag": tag}
            path = filled(template, members)
            endpoint = f"{method} {template}"
            try:
                self.api.send(Request(method, path, endpoint=endpoint, body=body, replay=True))
            except NotFound:  # a tag that is to go and is gone already is no failure
                if not single or self.write.kind is OpKind.ADD_TAGS:
                    raise

    # What they are made of.

    def _places(self, fields: Mapping[str, Json]) -> Places:
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
                    f"{name}: no such field is declared for this endpoint",
                    remedy="name it in the mapping",
                )
            if value is None and self.form.endpoint.clear_with == "empty":
                value = ""
            places.append((path, value))
        return places

    def _put(self, body: dict[str, Any], changes: Places) -> dict[str, Any]:
        for path, value in changes:
            put(body, path, self._as_held(path, value), self.form.named)
        return body

    def _as_held(self, path: Path, value: Any) -> Any:
        """A number in text, digit by digit, as a number where records hold one."""
        if self.form.numbers.get(path) and _is_number(value):
            return msgspec.Raw(value.encode())
        return value

    def _send(self, changes: Places, before: Before | None, version: str | None) -> Reply:
        """Send changes, each with what it alone takes away: the record `before`, or a member."""
        endpoint = self.form.endpoint
        paths = self._paths(changes, versioned=version is not None)
        around = self._around(paths, before.sendable) if before else {}
        body = self._put(around, changes)
        if endpoint.version_member and version is not None:
            number = int(version) if version.isdecimal() else version
            put(body, parse(endpoint.version_member), number)
        answer = self._item_request(endpoint.update, wrapped(endpoint, body), version)
        record, shown = self._seen(answer, self.write.key)
        inside = [path for path in paths if len(path) > 1]
        if before is None or endpoint.sends_whole or not inside:
            return self._done(record)
        if any(self._gone(inside, before, shown).values()):
            record, shown = self._read_back(self.write.key)  # an answer may show less than there is
        return self._proved(inside, changes, before, (record, shown))

    def _around(self, paths: Sequence[Path], record: dict[str, Any]) -> dict[str, Any]:
        """What goes with changes at these places: the record, or its members that are replaced."""
        if self.form.endpoint.sends_whole:
            return record
        tops = {str(path[0]) for path in paths if not self.form.goes_alone(path)}
        return {top: copy.deepcopy(record[top]) for top in tops if top in record}

    def _gone(
        self, inside: Sequence[Path], before: Before, shown: dict[str, Any]
    ) -> dict[str, list[str]]:
        """What lay beside changes inside a member and is not there any more, by member."""
        beside = self._beside(inside, before)
        return {top: list(lost(siblings, shown.get(top), top)) for top, siblings in beside.items()}

    def _beside(self, inside: Sequence[Path], before: Before) -> dict[str, Any]:
        """The members that changes lie in, as they were, without what is changed."""
        beside = copy.deepcopy({str(path[0]): before.shown.get(str(path[0])) for path in inside})
        for path in inside:
            put(beside, path, None, self.form.named)
        return beside

    def _proved(
        self, inside: Sequence[Path], changes: Places, before: Before, after: Seen
    ) -> Reply:
        """Done, where what lies beside the changes is still there.

        Where it went alone and is not, it is put back.

        From then on all of that member is sent. Raises InvalidField where it was sent and is gone
        all the same.
        """
        record, shown = after
        gone = self._gone(inside, before, shown)
        alone = {str(path[0]) for path in inside if self.form.goes_alone(path)}
        sent = [place for top, places in gone.items() if top not in alone for place in places]
        if sent:
            raise InvalidField(
                f"the API took away what was sent with the change: {', '.join(sent)}",
                remedy=(
                    "put it back by hand, and map nothing inside that member, "
                    "or ask the API's support"
                ),
                code="SIBLINGS_LOST",
            )
        was = self._beside(inside, before)
        self.form.replaced.update(top for top in alone if gone[top])
        self.form.merged.update(top for top in alone if not gone[top] and any(lost(was[top], None)))
        if any(gone.values()):
            return self._send(changes, before, record.version)
        return self._done(record)

    def _item_request(self, method: str, body: Json, version: str | None) -> Answer:
        endpoint, template = self.form.endpoint, item_of(self.form.endpoint)
        path = filled(template, {"key": self.write.key, "parent": self.write.parent})
        headers = {}
        if endpoint.if_match and version is not None:
            headers["If-Match"] = _entity_tag(version)
        name = f"{method} {template}"
        return self.api.send(
            Request(method, path, endpoint=name, body=body, headers=headers, replay=True)
        )

    def _read(self, key: str | None) -> Seen:
        """The record as it is now. Raises Malformed where it cannot be read."""
        shown = self.api.get(self.form.endpoint, key or "", self.write.parent)
        record = self.form.record(shown, self.write.parent)
        if self.form.tags is None or shows(shown, self.form.tags):
            return record, shown
        # Not shown is not none: an answer may leave them out that a list shows.
        known = {name: value for name, value in record.fields.items() if name != TAGS}
        return replace(record, fields=known), shown

    def _before(self) -> Before:
        """The record before a change.

        Raises InvalidField where it cannot be read: then nothing is written to it.
        """
        try:
            answer = self.api.answer(self.form.endpoint, self.write.key or "", self.write.parent)
            shown = self.api.shown(self.form.endpoint, answer, self.write.key)
            record = self.form.record(shown, self.write.parent)
        except Malformed as error:
            raise InvalidField(
                error.what, remedy=error.remedy, code=error.code, trace_id=error.trace_id
            ) from None
        sendable = self.api.unwrapped(self.form.endpoint, answer, as_sent=True)
        for path in self.form.fields.values():
            value = find(sendable, path)
            if value is not None:
                number = isinstance(value, int | msgspec.Raw) and not isinstance(value, bool)
                self.form.numbers[path] = number
        return Before(record, shown, sendable)

    def _seen(self, answer: Answer, key: str | None) -> Seen:
        """The record after a write.

        What the answer shows, or what a read does where the answer does not show it all.
        """
        form = self.form
        try:
            shown = self.api.shown(form.endpoint, answer, key)
            record = form.record(shown, self.write.parent)
            # A member that the answer leaves out may be blank, or merely not shown: only a read
            # tells.
            paths = (*form.fields.values(), form.tags, form.version)
            if all(path is None or shows(shown, path) for path in paths):
                return record, shown
        except Malformed:
            pass  # an answer without the record: a status, another record, or nothing at all
        return self._read_back(key)

    def _read_back(self, key: str | None) -> Seen:
        """The record after a write.

        Raises Uncertain where the API does not let it be read: written it is all the same.
        """
        try:
            return self._read(key)
        except (Forbidden, InvalidField) as error:
            raise Uncertain(
                f"it was written and cannot be read back: {error.what}",
                remedy="look at the record before repeating",
                status=error.status,
                trace_id=error.trace_id,
            ) from None

    def _named(self, answer: Answer) -> str:
        """The key of a new record where the answer holds nothing else.

        Raises Malformed where it tells none.

        Only with 201 is Location the address of what was created (RFC 9110); with 202 it may be
        that of the work.
        """
        location = answer.headers.get("location", "").split("?")[0].rstrip("/")
        if location and answer.status == 201:
            return location.rpartition("/")[2]
        return self.form.key_of(decoded(answer))

    def _expect(self, record: Record) -> None:
        wanted = self.write.fields
        moved = [
            name
            for name, value in self.write.expected.items()
            if not same(record.fields.get(name), value)
            and not same(record.fields.get(name), wanted.get(name))
        ]
        if self.write.version is not None and record.version != self.write.version:
            moved.append("its version")
        if moved:
            raise Stale(f"changed since the plan was made: {', '.join(moved)}", remedy="plan again")

    def _reply_to(self, error: Stale) -> Reply:
        """The reply after a refusal for the version.

        The write is done where the record holds what was wanted, since it may have been ours.
        """
        try:
            record, _ = self._read(self.write.key)
        except ConnectorError:
            return reply_to(self.write, error)
        if all(same(record.fields.get(name), value) for name, value in self.write.fields.items()):
            return self._done(record)
        return Reply(
            self.write.op_id,
            Status.STALE,
            record=record,
            key=record.key,
            code=error.code,
            detail=error.what,
        )

    def _done(self, record: Record) -> Reply:
        return Reply(self.write.op_id, Status.DONE, record=record, key=record.key)


def _is_number(value: Json) -> bool:
    """Whether a value is text that JSON could write as a number."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _entity_tag(version: str) -> str:
    """A version as If-Match names it: quoted, unless it is an entity tag (RFC 9110, 8.8.3)."""
    if version.startswith(('"', "W/")):
        return version
    return f'"{version}"'
