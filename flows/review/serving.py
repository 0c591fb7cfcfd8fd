"""Serves the review page on this machine alone, until interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from flows.review.desk import Desk
from flows.review.gate import Gate
from flows.review.web import make_app

_OPTIONS = {
    "log_level": "error",
    "access_log": False,
    "lifespan": "off",
    "ws": "none",
    "server_header": False,
}


@contextmanager
def listening(port: int = 0) -> Iterator[tuple[socket.socket, Gate, str]]:
    """A socket on loopback, the gate for its address, and the address to give to the person.

    Port 0 takes a free one.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(64)
        taken = sock.getsockname()[1]
        gate = Gate(frozenset({f"127.0.0.1:{taken}", f"localhost:{taken}"}))
        yield sock, gate, f"http://127.0.0.1:{taken}/{gate.token}/"


def server_for(desk: Desk, gate: Gate) -> uvicorn.Server:
    """The server, to be run on a socket.

    Access is not logged: the address holds the session's token.
    """
    return uvicorn.Server(
        uvicorn.Config(
            make_app(desk, gate),
            timeout_graceful_shutdown=1,
            **_OPTIONS,  # type: ignore[arg-type]
        )
    )


def serve(desk: Desk, *, port: int = 0, tell: Callable[[str], None]) -> None:
    """Serve until interrupted, which is how the page ends.

    `tell` is given the address, which is listened on by then.
    """
    with listening(port) as (sock, gate, url), suppress(KeyboardInterrupt):
        tell(url)
        server_for(desk, gate).run(sockets=[sock])
