"""Writes carried out a few at a time, each answered for itself.

They go on until the API says that no other can succeed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial

from connectors.looks import Looks
from connectors.rest.api import Api
from connectors.rest.changes import Change
from connectors.rest.lines import Form
from connectors.rest.refusals import FATAL, FORBIDDEN_MAX, reply_to, skipped
from reconcile.errors import ConnectorError, Exhausted, Forbidden, NotFound
from reconcile.model import Entity, Status
from reconcile.ports import Record, Reply, Write, looked_at


def record_now(api: Api, form: Form, key: str, parent: str | None) -> Record | None:
    """The record as the API shows it by its key; None where it is gone.

    Raises ConnectorError when it does not answer.
    """
    try:
        return form.record(api.get(form.endpoint, key, parent), parent)
    except NotFound:
        return None


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out Writes that do not depend on one another, `concurrency` at a time.

    `now` gives the instant for members of new records.
    """

    api: Api
    forms: Mapping[Entity, Form]
    concurrency: int
    now: Callable[[], str]
    looks: Looks = field(default_factory=Looks)

    def run(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write, as they come.

        Once a quota is spent nothing more is sent and the rest is `skipped`.

        Raises Expired, WrongLocation or Blocked, after the replies to what was sent before;
        Forbidden where one write after the other is: a single one may lie with its record.
        """
        waiting = list(reversed(writes))
        flights: dict[Future[Reply], Write] = {}
        over: ConnectorError | None = None
        forbidden = 0
        with ThreadPoolExecutor(self.concurrency) as pool:
            while flights or (waiting and over is None):
                while waiting and over is None and len(flights) < self.concurrency:
                    write = waiting.pop()
                    flights[pool.submit(self._one, write)] = write
                landed, _ = wait(flights, return_when=FIRST_COMPLETED)
                for future in landed:
                    write = flights.pop(future)
                    try:
                        reply = future.result()
                        forbidden = (
                            0
                            if reply.status is Status.DONE
                            else forbidden + (reply.code == Forbidden.code)
                        )
                        if forbidden >= FORBIDDEN_MAX:
                            over = over or Forbidden(
                                reply.detail, remedy="grant the credentials the right to write"
                            )
                        yield reply
                    except (*FATAL, Exhausted) as error:
                        over = over or error
                        if isinstance(error, Exhausted):
                            yield skipped(write, error)
        if isinstance(over, (*FATAL, Forbidden)):
            raise over
        if over is not None:
            yield from (skipped(write, over) for write in reversed(waiting))

    def _one(self, write: Write) -> Reply:
        form = self.forms.get(write.entity)
        if form is None:
            detail = f"no endpoint is declared for {write.entity} records"
            return Reply(
                write.op_id, Status.REJECTED, key=write.key, code="UNSUPPORTED", detail=detail
            )
        try:
            with self.looks.around(write):
                ready = self._ready(form, write)
                if isinstance(ready, Reply):
                    return ready
                return Change(self.api, form, ready, self.now()).carry_out()
        except (*FATAL, Exhausted):
            raise
        except ConnectorError as error:
            return reply_to(write, error)

    def _ready(self, form: Form, write: Write) -> Write | Reply:
        """The write after the look that it asks for; or the reply where it is not sent.

        What cannot be looked at is not written to: the next run meets it again.
        """
        try:
            return looked_at(
                write, partial(record_now, self.api, form, write.key or "", write.parent)
            )
        except (*FATAL, Exhausted):
            raise
        except ConnectorError as error:
            return skipped(write, error)
