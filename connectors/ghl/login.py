"""The browser's way to a first pair of tokens: consent page, local callback, exchange, store."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from connectors.ghl.auth import Tokens, TokenStore
from connectors.ghl.oauth import Consent, Exchange, OAuthApp, consent
from reconcile.errors import Expired

WAIT_SECONDS = 300.0
_SILENCE_SECONDS = 10.0
"""For which a connection may say nothing."""

_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>ghl-reconcile</title><p>%s You "
    b"can close this window."
)


class Callback:
    """A server on 127.0.0.1 that waits for the one redirect which carries the code.

    `port` 0 takes a free one.

    Whoever else asks it, or says nothing, changes nothing: a browser asks for an icon, another page
    may send a state of its own.
    """

    def __init__(self, port: int = 0, *, path: str = "/callback") -> None:
        self._path = path
        self._state = b""
        self._query: dict[str, str] = {}
        self._came = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="callback", daemon=True).start()

    @property
    def url(self) -> str:
        """The redirect URI.

        It must be registered with the app in GHL, so give it a fixed port there.
        """
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _SILENCE_SECONDS

            def do_GET(self) -> None:
                status, words = callback._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(_PAGE % words)

            # Nothing is logged: the query holds the code.
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        return Handler

    def _answer(self, path: str) -> tuple[int, bytes]:
        try:
            parts = urlsplit(path)
            members = parse_qs(parts.query, max_num_fields=100)
        except ValueError:
            return 400, b"Not understood."
        if parts.path != self._path:
            return 404, b"Not here."
        query = {name: values[0] for name, values in members.items()}
        # As bytes: compared as text, letters beyond ASCII would raise.
        if not self._state or not hmac.compare_digest(query.get("state", "").encode(), self._state):
            return 400, b"This is not the answer that is waited for."
        if not self._came.is_set():
            self._query = query
            self._came.set()
        return 200, b"Answer received."

    def expect(self, visit: Consent) -> None:
        """Take the answer to this visit, and to no other."""
        self._state = visit.state.encode()

    def wait(self, *, seconds: float = WAIT_SECONDS) -> str:
        """The code.

        Raises Expired where none comes in time with the state that was sent, or consent is refused.
        """
        if not self._came.wait(seconds):
            raise Expired(
                f"no answer from the browser within {seconds:.0f} s", remedy="run auth login again"
            )
        code = self._query.get("code")
        if not code:
            raise Expired(
                "GHL gave no code: consent was refused",
                remedy="run auth login again and choose the location",
            )
        return code

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
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
    """Send the browser to GHL's consent page and store the pair of tokens that comes of it.

    The code comes in the callback and is exchanged for the pair.

    `app.redirect_uri` must be `callback.url`. Raises Expired where consent does not come or is not
    ours.
    """
    visit = consent(app)
    callback.expect(visit)
    try:
        open_browser(visit.url)
        code = callback.wait(seconds=seconds)
    finally:
        callback.close()
    with store.lock():
        tokens = exchange.code(code, visit.verifier)
        store.save(tokens)
    return tokens
