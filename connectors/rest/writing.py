"""Writes carried out a few at a time, each answered for itself, until the API says that no other can succeed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from connectors.rest.api import Api
from connectors.rest.changes import Change
from connectors.rest.lines import Form
from connectors.rest.refusals import FATAL, FORBIDDEN_MAX, reply_to, skipped
from reconcile.errors import ConnectorError, Exhausted, Forbidden
from reconcile.model import Entity, Status
from reconcile.ports import Reply, Write


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out Writes that do not depend on one another, `concurrency` at a time."""

    api: Api
    forms: Mapping[Entity, Form]
    concurrency: int

    def run(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write, as they come. Once a quota is spent nothing more is sent and the rest is `skipped`.

        Raises Expired, WrongLocation or Blocked, after the replies to what was sent before; Forbidden where one write after
        the other is: a single one may lie with its record.
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
                        forbidden = 0 if reply.status is Status.DONE else forbidden + (reply.code == Forbidden.code)
                        if forbidden >= FORBIDDEN_MAX:
                            over = over or Forbidden(reply.detail, remedy="grant the credentials the right to write")
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
            return Reply(write.op_id, Status.REJECTED, key=write.key, code="UNSUPPORTED", detail=detail)
        try:
            return Change(self.api, form, write).carry_out()
        except (*FATAL, Exhausted):
            raise
        except ConnectorError as error:
            return reply_to(write, error)
