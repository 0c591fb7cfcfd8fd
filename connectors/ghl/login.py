"""The browser's way to a first pair of tokens: consent page, local callback, exchange, store."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from connectors.ghl.auth import Tokens, TokenStore
from connectors.ghl.oauth import Consent, Exchange, OAuthApp, consent
from reconcile.errors import Expired

WAIT_SECONDS = 300.0

_PAGE = b"<!doctype html><meta charset=utf-8><title>ghl-reconcile</title><p>%s You can close this window."


class Callback:
    """A server on 127.0.0.1 that waits for the one redirect which carries the code; `port` 0 takes a free one."""

    def __init__(self, port: int = 0, *, path: str = "/callback") -> None:
        self._path = path
        self._query: dict[str, str] | None = None
        self._server = HTTPServer(("127.0.0.1", port), self._handler())

    @property
    def url(self) -> str:
        """The redirect URI: it must be registered with the app in GHL, so give it a fixed port there."""
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                known = parts.path == callback._path
                if known:
                    callback._query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_PAGE % (b"Answer received." if known else b"Not here."))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the query holds the code
                return

        return Handler

    def wait(self, asked: Consent, *, seconds: float = WAIT_SECONDS) -> str:
        """The code. Raises Expired where none comes in time, consent is refused, or the state is not the one sent."""
        self._server.timeout = seconds
        while self._query is None:
            before = self._query
            self._server.handle_request()
            if self._query is before:
                raise Expired(f"no answer from the browser within {seconds:.0f} s", remedy="run auth login again")
        if not hmac.compare_digest(self._query.get("state", ""), asked.state):
            raise Expired(
                "the answer carries another state than was sent: it is not ours", remedy="run auth login again"
            )
        code = self._query.get("code")
        if not code:
            raise Expired(
                "GHL gave no code: consent was refused", remedy="run auth login again and choose the location"
            )
        return code

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()


def login(
    app: OAuthApp,
    *,
    store: TokenStore,
    open_browser: Callable[[str], object],
    exchange: Exchange,
    callback: Callback,
    seconds: float = WAIT_SECONDS,
) -> Tokens:
    """Send the browser to GHL's consent page, take the code from the callback, exchange it, store the pair.

    `app.redirect_uri` must be `callback.url`. Raises Expired where consent does not come or is not ours.
    """
    asked = consent(app)
    try:
        open_browser(asked.url)
        code = callback.wait(asked, seconds=seconds)
    finally:
        callback.close()
    with store.lock():
        tokens = exchange.code(code, asked.verifier)
        store.save(tokens)
    return tokens
