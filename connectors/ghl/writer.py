"""Writes carried out.

Each kind by its endpoint, tags and business links in batches, a few requests at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from connectors.ghl import children, consents, contacts, located
from connectors.ghl.api import Api
from connectors.ghl.batches import Job, jobs_of
from connectors.ghl.bulk import bulk_business, bulk_tags, tagged
from connectors.ghl.entities import GHL
from connectors.ghl.finder import Finder
from connectors.ghl.outgoing import LINKED, Spelling, body_of
from connectors.ghl.replies import FATAL, reply_to, skipped
from connectors.ghl.settings import GhlSettings
from connectors.ghl.shapes import record
from connectors.ghl.tags import Change
from connectors.ghl.tags import change as change_tags
from connectors.looks import Looks
from reconcile.errors import ConnectorError, Exhausted, InvalidField
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Record, Reply, Shape, Write, looked_at

Found: TypeAlias = "dict[str, Any] | None"
Read: TypeAlias = Callable[[Entity, str, "str | None"], "Record | None"]


class Writer:
    """Carries out Writes that do not depend on one another.

    `read` gives a record as it is now; `looks` counts such reads.
    """

    def __init__(
        self,
        api: Api,
        *,
        settings: GhlSettings,
        spelling: Spelling,
        shapes: Callable[[Entity], Shape],
        finder: Finder,
        read: Read,
        looks: Looks,
    ) -> None:
        self._api = api
        self._settings = settings
        self._spelling = spelling
        self._shapes = shapes
        self._finder = finder
        self._read = read
        self._looks = looks

    def run(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write, as they come.

        Once a quota is spent nothing more is sent and the rest is `skipped`.

        Raises Expired, Forbidden, WrongLocation or Blocked, after the replies to all writes.
        """
        self._finder.stirred()
        waiting = list(reversed(jobs_of(writes, self._settings, self)))
        flights: dict[Future[list[Reply]], Job] = {}
        over: ConnectorError | None = None
        with ThreadPoolExecutor(max(1, self._settings.concurrency)) as pool:
            while flights or (waiting and over is None):
                while waiting and over is None and len(flights) < self._settings.concurrency:
                    job = waiting.pop()
                    flights[pool.submit(job.run)] = job
                landed, _ = wait(flights, return_when=FIRST_COMPLETED)
                for future in landed:
                    replies, failure = _result(future, flights.pop(future))
                    over = over or failure
                    yield from replies
        if over is not None:
            yield from (skipped(write, over) for job in reversed(waiting) for write in job.writes)
        if isinstance(over, FATAL):
            raise over

    def one(self, write: Write) -> list[Reply]:
        """Carry out a single write.

        Its failure becomes its Reply, unless no other write could fare better.
        """
        try:
            with self._looks.around(write):
                ready = self.ready(write)
                if isinstance(ready, Reply):
                    return [ready]
                return [self._done(ready)]
        except (*FATAL, Exhausted):
            raise
        except InvalidField as error:
            if write.kind is OpKind.CREATE and error.status == 422:
                return [self._doubted(write, error)]
            return [reply_to(write, error)]
        except ConnectorError as error:
            return [reply_to(write, error)]

    def ready(self, write: Write) -> Write | Reply:
        """The write after the look that it asks for, in the thread that sends it next.

        It is the reply where the write is not sent.

        What cannot be looked at is not written to: the next run meets it again.
        """
        try:
            return looked_at(write, lambda: self._read(write.entity, _key(write), write.parent))
        except (*FATAL, Exhausted):
            raise
        except ConnectorError as error:
            return skipped(write, error)

    def tags(self, writes: Sequence[Write]) -> list[Reply]:
        """The same tag change on many contacts, in one request.

        What it does not mention is sent alone.
        """
        return bulk_tags(self._api, writes, self.one)

    def business(self, writes: Sequence[Write]) -> list[Reply]:
        """The same business link for many contacts, in one request.

        What it does not mention is sent alone.
        """
        with self._looks.around(*writes):
            ready = [self.ready(write) for write in writes]
            due = [each for each in ready if isinstance(each, Write)]
            replies = [each for each in ready if isinstance(each, Reply)]
            if due:
                replies += bulk_business(self._api, due, self.one)
            return replies

    def _done(self, write: Write) -> Reply:
        match write.kind:
            case OpKind.CREATE:
                item = self._create(write)
            case OpKind.UPDATE | OpKind.ARCHIVE if write.fields:
                item = self._update(write)
            case OpKind.COMPLETE:
                completed = write.fields.get("completed", True) is True
                item = children.complete(
                    self._api, write.entity, _parent(write), _key(write), completed=completed
                )
            case OpKind.DELETE:
                self._delete(write)
                return Reply(write.op_id, Status.DONE, key=write.key)
            case OpKind.ADD_TAGS:
                return self._tags(write, "add")
            case OpKind.REMOVE_TAGS:
                return self._tags(write, "remove")
            case _:
                raise InvalidField(
                    f"GHL has no {write.kind} of its own",
                    remedy="say which fields mark a record as archived",
                    code="UNSUPPORTED",
                )
        receipt = self._record(write, item)
        if receipt is None:
            return Reply(write.op_id, Status.DONE, key=write.key)
        if write.kind is OpKind.CREATE:
            self._finder.claim(receipt.key)
        return Reply(write.op_id, Status.DONE, record=receipt, key=receipt.key)

    def _record(self, write: Write, item: Found) -> Record | None:
        if item is None:
            return None
        return record(item, self._shapes(write.entity), parent=write.parent)

    def _create(self, write: Write) -> Found:
        _check_kind(write)
        body = body_of(write, self._spelling)
        if write.entity.parent:
            return children.create(self._api, write.entity, _parent(write), body)
        if GHL[write.entity].listed:
            return located.create(self._api, write.entity, body)
        if write.tags:
            body["tags"] = list(write.tags)
        created = contacts.create(self._api, body)
        return self._linked(write, str(created.get("id") or ""), created)

    def _update(self, write: Write) -> Found:
        _check_kind(write)
        key = _key(write)
        current = None
        if consents.written(write.fields):
            # GHL may take channels that are not sent away, and an entry has a message of its own.
            current = contacts.get(self._api, key)
        body = body_of(write, self._spelling, current)
        if write.entity.parent:
            return children.update(self._api, write.entity, _parent(write), key, body)
        if GHL[write.entity].listed:
            return located.update(self._api, write.entity, key, body)
        updated = None
        if body:  # the business link alone has no body: it is a request of its own
            updated = contacts.update(self._api, key, body)
        return self._linked(write, key, updated or self._read_back(key))

    def _read_back(self, key: str) -> Found:
        """The contact after a write that did not show it.

        None where it cannot be read: the write is done all the same.
        """
        try:
            return contacts.get(self._api, key)
        except ConnectorError:
            return None

    def _linked(self, write: Write, contact: str, item: Found) -> Found:
        """Set the business link, a request of its own, and say in the record what GHL said of it.

        Where something else was written before, a failure here leaves the link out of the record,
        and is no failure of the write: a create reported as failed would be made a second time.
        """
        business = write.fields.get(LINKED)
        if LINKED not in write.fields or (write.kind is OpKind.CREATE and business is None):
            return item
        company = business if isinstance(business, str) else None
        try:
            done = contacts.link_business(self._api, [contact], company)
        except ConnectorError:
            if write.kind is OpKind.CREATE or len(write.fields) > 1:
                return item
            raise
        if item is not None and contact in done:
            return {**item, LINKED: business}
        return item

    def _delete(self, write: Write) -> None:
        _check_kind(write)
        if write.entity.parent:
            children.delete(self._api, write.entity, _parent(write), _key(write))
        elif GHL[write.entity].listed:
            located.delete(self._api, write.entity, _key(write))
        else:
            contacts.delete(self._api, _key(write))

    def _tags(self, write: Write, change: Change) -> Reply:
        after = change_tags(self._api, _key(write), write.tags, change=change)
        return tagged(write, after)

    def _doubted(self, write: Write, error: InvalidField) -> Reply:
        """A 422 may still have created the record (docs/ghl.md#errors).

        Look before calling it rejected.
        """
        try:
            created, dated = self._finder.created_by(write)
        except ConnectorError:
            # Also a spent quota: what was sent is not "never sent"; the next write meets it again.
            return dataclasses.replace(reply_to(write, error), status=Status.UNCERTAIN)
        if len(created) == 1 and dated:
            self._finder.claim(created[0].key)
            return Reply(
                write.op_id,
                Status.DONE,
                record=created[0],
                key=created[0].key,
                code=error.code,
                trace_id=error.trace_id,
            )
        if created:
            return dataclasses.replace(reply_to(write, error), status=Status.UNCERTAIN)
        return reply_to(write, error)


def _result(future: Future[list[Reply]], job: Job) -> tuple[list[Reply], ConnectorError | None]:
    try:
        return future.result(), None
    except (*FATAL, Exhausted) as error:
        # A batch that was being split may be done in part: its changes are harmless twice.
        return [skipped(write, error) for write in job.writes], error


def _check_kind(write: Write) -> None:
    """Raises InvalidField for a set of words: it has no records to make, change or delete."""
    holder = write.entity.spec.set_of
    if holder:
        raise InvalidField(
            f"GHL has no {write.entity} to {write.kind}",
            remedy=f"plan ADD_TAGS or REMOVE_TAGS on a {holder}",
        )


def _key(write: Write) -> str:
    if write.key:
        return write.key
    raise InvalidField(
        f"a {write.kind} of {write.entity.indefinite} needs the record's key",
        remedy="this is a fault of the plan",
    )


def _parent(write: Write) -> str:
    if write.parent:
        return write.parent
    raise InvalidField(
        f"{write.entity.indefinite} is written under its contact, none was named",
        remedy="link the contact first",
    )
