"""A sandbox over real HTTP on loopback.

In a thread for tests and the demo, blocking for the command line.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.ghl.sandbox.backdoor import routes as backdoor
from connectors.ghl.sandbox.gateway import Gateway
from connectors.ghl.sandbox.sandbox import DEFAULTS, Sandbox
from connectors.ghl.sandbox.settings import Settings


class _Protocol(H11Protocol):
    """Hands each request its transport, which a fault needs to reset the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def make_app(sandbox: Sandbox) -> Starlette:
    """The ASGI application of a sandbox."""
    return Starlette(routes=[*backdoor(sandbox), Route("/{path:path}", Gateway(sandbox))])


@contextmanager
def serve(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a daemon thread; yields the base URL and stops cleanly at the end.

    Port 0 takes a free one.
    """
    with hosted(make_app(sandbox), host=host, port=port) as url:
        yield url


@contextmanager
def hosted(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve any ASGI application in a daemon thread.

    Yields the base URL and stops cleanly at the end.
    """
    with _listen(host, port) as sock:
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [sock]}, name="hosted", daemon=True
        )
        ready = threading.Event()
        thread.start()
        while not server.started and thread.is_alive():
            ready.wait(0.005)
        if not server.started:
            raise RuntimeError("the server did not start; its log says why")
        try:
            yield _url(sock)
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def run(
    settings: Settings = DEFAULTS, path: Path | None = None, host: str = "127.0.0.1", port: int = 0
) -> None:
    """Serve until interrupted; the first line on standard output is the base URL.

    An empty sandbox gets a location, a token for it and an OAuth client; the next lines name what
    can be used.
    """
    sandbox = Sandbox(settings, path=path)
    try:
        with _listen(host, port) as sock:
            sys.stdout.write("\n".join((_url(sock), *sandbox.furnish(), "")))
            sys.stdout.flush()
            uvicorn.Server(_config(make_app(sandbox))).run(sockets=[sock])
    except KeyboardInterrupt:
        return
    finally:
        sandbox.close()


def _config(app: ASGIApp) -> uvicorn.Config:
    options: dict[str, Any] = {
        "log_level": "error",
        "access_log": False,
        "lifespan": "off",
        "ws": "none",
    }
    return uvicorn.Config(
        app,
        http=_Protocol,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        server_header=False,
        # uvicorn would set up logging for the whole process anew, and wait for handlers such as
        # Prefect's that wait for it.
        log_config=None,
        **options,
    )


def _listen(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle off on what it accepts: 40 ms a request
    # otherwise.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    # Listening already here, so that a client may connect before the server's loop runs.
    sock.listen(512)
    return sock


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{host}:{port}"
