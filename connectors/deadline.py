"""Ends an exchange at a moment, however lively the other end drips.

`httpx` times each read by itself, and a header takes many.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[float]:
    """All that is sent and read in this thread until the end is over within these seconds.

    Gives the moment.
    """
    until = time.monotonic() + seconds
    token = _UNTIL.set(until)
    try:
        yield until
    finally:
        _UNTIL.reset(token)


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    """The time that one step has. Raises `late` where none is left."""
    until = _UNTIL.get()
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise late("the exchange as a whole took too long")
    if timeout is None:
        return left
    return min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection of which each step has no more time than the whole has left."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._stream.start_tls(
                ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)
            )
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connections that keep the moment."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, local_address, socket_options))


class Transport(httpx.HTTPTransport):
    """httpx's own transport, over connections that keep the moment.

    `backend` is swapped in tests.
    """

    def __init__(
        self, limits: httpx.Limits, *, backend: httpcore.NetworkBackend | None = None
    ) -> None:
        trusted = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=trusted, trust_env=False, limits=limits)
        # httpx has no other way in; a test fails where it goes.
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(backend or httpcore.SyncBackend()),
        )
