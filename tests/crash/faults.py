"""What may go wrong while a job runs, each as a fault that can be switched on in a world of real connectors, and off again."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import httpx
import sqlalchemy as sa

from connectors.ghl import GhlConnector
from connectors.memory import Killed
from flows.run import Run
from reconcile.model import Side
from tests.properties.sandbox_world import SandboxWorld, Wire

VALUE = "Zqx"
"""Stands in every name and text of the world, and in what databases say: whatever is logged or told holds none."""

Bend = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]
"""Answers a request in the sandbox's place, or lets it answer."""


class BentWire(Wire):
    """The wire of a faulty world: counts requests, and lets the fault answer."""

    def __init__(self, world: FaultyWorld) -> None:
        super().__init__(world)
        self._faulty = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._faulty.asked += 1
        carry = partial(super().handle_request, request)
        return self._faulty.bend(request, carry) if self._faulty.bend else carry()


@dataclass
class FaultyWorld(SandboxWorld):
    """A world in which `bend` answers for GHL while a fault is on; `asked` counts what was sent."""

    bend: Bend | None = None
    asked: int = 0
    lock_seconds: int = 1

    def wire(self) -> Wire:
        return BentWire(self)

    def _ghl(self) -> GhlConnector:
        made = super()._ghl()
        # A real connector counts its window on a clock that nobody sets.
        made._throttle._clock = self.clock.true
        return made


Fault = Callable[[FaultyWorld, Run], AbstractContextManager[None]]
"""Switches a fault on for a run that is about to begin."""


# On the wire.


def _kind(request: httpx.Request) -> str:
    """`METHOD path`, a search told apart from a write."""
    return f"{request.method} {request.url.path}"


@contextmanager
def _bent(world: FaultyWorld, bend: Bend) -> Iterator[None]:
    world.bend = bend
    try:
        yield
    finally:
        world.bend = None


def answers(
    make: Callable[[], httpx.Response], *, at: str = "", every: int = 1, lost: bool = False
) -> Fault:
    """Each `every`-th request whose kind contains `at` is answered so; `lost`: after it was carried out all the same."""

    def switched(world: FaultyWorld, _: Run) -> AbstractContextManager[None]:
        seen = 0

        def bend(request: httpx.Request, carry: Callable[[], httpx.Response]) -> httpx.Response:
            nonlocal seen
            if at not in _kind(request):
                return carry()
            seen += 1
            if seen % every:
                return carry()
            if lost:
                carry()
            return make()

        return _bent(world, bend)

    return switched


def said(
    status: int, message: str = "no", retry_after: bytes | None = None
) -> Callable[[], httpx.Response]:
    """An answer of GHL's form."""
    headers = [] if retry_after is None else [(b"retry-after", retry_after)]
    body = {"statusCode": status, "message": message}
    return lambda: httpx.Response(status, json=body, headers=headers)


def _reset() -> httpx.Response:
    raise httpx.ReadError("the connection was reset")


class _Drip(httpx.SyncByteStream):
    """A byte now and then, without an end."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b" "


@cache
def _packed() -> bytes:
    packing = zlib.compressobj(1, wbits=31)
    parts = [packing.compress(b" " * (1 << 20)) for _ in range(256)]
    return b"".join([*parts, packing.flush()])


class _Parts(httpx.SyncByteStream):
    """As much at a time as a connection gives."""

    def __iter__(self) -> Iterator[bytes]:
        body = _packed()
        yield from (body[at : at + 65_536] for at in range(0, len(body), 65_536))


def _bomb() -> httpx.Response:
    return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Parts())


def drips(world: FaultyWorld, run: Run) -> AbstractContextManager[None]:
    """Each third answer comes a byte at a time; a request may take a fifth of a second in all."""
    client = world.sides[Side.GHL]._client
    client._options = replace(client._options, total_seconds=0.2)
    make = lambda: httpx.Response(200, stream=_Drip())  # noqa: E731
    return answers(make, every=3)(world, run)


# In a database.


@contextmanager
def _failing(engine: sa.Engine, kind: str, *, first: int, many: int) -> Iterator[None]:
    """From the `first` statement of a kind on, so many fail, with a value in what the database says."""
    seen = 0

    def strike() -> None:
        nonlocal seen
        seen += 1
        if first <= seen < first + many:
            raise sqlite3.OperationalError(f'disk I/O error at "{VALUE}"')

    def execute(_cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(kind):
            strike()

    events = ("do_execute", "do_executemany", "do_execute_no_params")
    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        strike()
        commit(connection)

    if kind == "COMMIT":
        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
    else:
        for name in events:
            sa.event.listen(engine, name, execute)
    try:
        yield
    finally:
        engine.dialect.do_commit = commit  # type: ignore[method-assign]
        for name in events if kind != "COMMIT" else ():
            sa.event.remove(engine, name, execute)


def fails(kind: str, *, of: str, first: int = 2, many: int = 3) -> Fault:
    """Some statements of a kind fail, in the app's database or in the ledger."""

    def switched(world: FaultyWorld, _: Run) -> AbstractContextManager[None]:
        engine = world.ledger.engine if of == "ledger" else world.sides[Side.APP]._engine
        return _failing(engine, kind, first=first, many=many)

    return switched


@contextmanager
def locked(world: FaultyWorld, _: Run) -> Iterator[None]:
    """Somebody else's transaction holds the app's database all the while."""
    with world.app_place.engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        other.rollback()


# In the machine.


def at_request(number: int, act: Callable[[FaultyWorld, Run], None]) -> Fault:
    """Something happens right before a request of the run."""

    def switched(world: FaultyWorld, run: Run) -> AbstractContextManager[None]:
        until = world.asked + number

        def bend(_: httpx.Request, carry: Callable[[], httpx.Response]) -> httpx.Response:
            if world.asked == until:
                act(world, run)
            return carry()

        return _bent(world, bend)

    return switched


def stepped(seconds: float, number: int) -> Fault:
    """Somebody sets the job's clock in mid-run, and it is put right before the next one."""

    @contextmanager
    def switched(world: FaultyWorld, run: Run) -> Iterator[None]:
        with at_request(number, lambda world, _: world.clock.step(seconds))(world, run):
            yield
        world.clock.step(-world.clock.ahead)

    return switched


def killed(place: str, number: int) -> Fault:
    """The process dies at such a place; whoever runs next is another one."""

    @contextmanager
    def switched(world: FaultyWorld, _: Run) -> Iterator[None]:
        world.fuse.light(place, number)
        with ExitStack() as stack:
            stack.callback(world.reopen)
            stack.callback(world.fuse.put_out)
            yield

    return switched


def _told_to_end(_: FaultyWorld, run: Run) -> None:
    run.ending.ask("stopped by SIGTERM")


def _hour_over(world: FaultyWorld, run: Run) -> None:
    run.ending._until = world.clock.seconds()


_ONE = "/notes"
_WRITES = "PUT /contacts/"

FAULTS: dict[str, Fault] = {
    "401 that is a time-out": answers(said(401, "Command timed out"), every=3),
    "401 each time": answers(said(401, "Invalid token")),
    "notes that answer 500": answers(said(500), at=_ONE, every=2),
    "notes that answer 403": answers(said(403, "Forbidden resource"), at=_ONE, every=3),
    "records that answer 404": answers(said(404, "Not found"), at="GET /contacts/", every=3),
    "500 each third": answers(said(500), every=3),
    "429 with an odd Retry-After": answers(said(429, retry_after=b"\xb2"), every=4),
    "429 for an hour": answers(said(429, retry_after=b"3600"), every=7),
    "a page of the network": answers(
        lambda: httpx.Response(403, text="<html>error 1010</html>"), every=6
    ),
    "JSON cut in the middle": answers(
        lambda: httpx.Response(200, content=b'{"contacts": [{"id'), every=4
    ),
    "JSON nested deep": answers(lambda: httpx.Response(200, content=b"[" * (1 << 20)), every=5),
    "a body that unpacks to 256 MB": answers(_bomb, at="/contacts/search"),
    "answers that drip": drips,
    "writes whose answer is lost": answers(_reset, at="POST /contacts/", every=3, lost=True),
    "changes whose answer is lost": answers(_reset, at=_WRITES, every=2, lost=True),
    "created, and answered 422": answers(
        said(422, "email must be an email"), at="POST /contacts/", every=4, lost=True
    ),
    "refused values": answers(said(422, "companyName must be a string"), at=_WRITES, every=2),
    **{
        f"{of}: {kind} fails": fails(kind, of=of)
        for of in ("app", "ledger")
        for kind in ("SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT")
    },
    "a database that somebody holds": locked,
    "the clock an hour forward": stepped(3600.0, 6),
    "the clock an hour back": stepped(-3600.0, 6),
    "time over while reading": at_request(4, _hour_over),
    "time over while writing": at_request(14, _hour_over),
    "SIGTERM while reading": at_request(4, _told_to_end),
    "SIGTERM while writing": at_request(14, _told_to_end),
    "killed after a request": killed("send:after", 3),
    "killed before a commit": killed("commit:before", 9),
    "killed after a commit": killed("commit:after", 9),
}
"""Each by the name that a report of the matrix gives it."""

__all__ = ["FAULTS", "VALUE", "Fault", "FaultyWorld", "Killed"]
