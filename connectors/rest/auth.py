"""The credentials of a JSON API, in each of the ways that such APIs ask for them."""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeAlias
from urllib.parse import quote, quote_plus

from connectors.http import Answer as HttpAnswer
from connectors.http import Auth, NoAuth, Request
from connectors.rest.settings import AuthSettings
from reconcile.errors import ConnectorError, Expired

Send: TypeAlias = Callable[[Request], HttpAnswer]

_LEEWAY = 60.0
"""Seconds before its end from which a token is renewed beforehand."""
_LIFETIME = 300.0
"""Seconds for which a token is used whose answer does not say how long it lives."""
_REMEDY = "check token_url, client id, secret and scope"


class Static:
    """Headers that never change; a refusal is final."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def headers(self) -> Mapping[str, str]:
        """The same headers every time."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """There is nothing to renew."""
        return False


class ClientCredentials:
    """OAuth2 client credentials (RFC 6749 section 4.4).

    One token for all threads, renewed before it ends and after a 401.

    `send` carries the token request without credentials of its own; `clock` gives seconds.
    """

    def __init__(
        self, settings: AuthSettings, send: Send, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0

    def headers(self) -> Mapping[str, str]:
        """The bearer token, fetched or renewed first where needed.

        Raises Expired where the API refuses the client.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._until:
                self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget the refused token, unless another thread has done so already."""
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._token = None
        return True

    def _fetch(self) -> None:
        try:
            answer = self._send(self._request())
        except ConnectorError as error:
            if error.status in (400, 401, 403):  # RFC 6749 section 5.2
                raise Expired(
                    error.what, remedy=_REMEDY, status=error.status, trace_id=error.trace_id
                ) from None
            raise
        body = answer.json()
        token, lifetime = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Expired("the token endpoint gave no access_token", remedy=_REMEDY)
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _LIFETIME
        self._token, self._until = token, self._clock() + max(seconds - _LEEWAY, seconds / 2)

    def _request(self) -> Request:
        own, form, headers = self._settings, {"grant_type": "client_credentials"}, {}
        if own.client_auth == "basic":
            headers = basic(own.client_id, own.client_secret)
        else:
            form |= {"client_id": own.client_id, "client_secret": own.client_secret}
        if own.scope:
            form["scope"] = own.scope
        name = "POST token"
        return Request(
            "POST", own.token_url, endpoint=name, form=form, headers=headers, replay=True
        )


def basic(user: str, password: str) -> dict[str, str]:
    """The header of basic authentication (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def auth_of(settings: AuthSettings, send: Send) -> Auth:
    """The Auth that the settings declare; a key in the query is added to each request instead."""
    match settings.kind:
        case "bearer":
            return Static({"Authorization": f"Bearer {settings.token}"})
        case "api_key" if settings.param is None:
            return Static({settings.header: settings.token})
        case "basic":
            return Static(basic(settings.user, settings.password))
        case "client_credentials":
            return ClientCredentials(settings, send)
        case _:
            return NoAuth()


class Unlogged(logging.Filter):
    """Takes a key that travels in the query out of what httpx logs of each request."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        # As it is, and as a query carries it; the longest first, since one may lie within another.
        self._forms = sorted(
            {secret, quote(secret, safe=""), quote_plus(secret)} - {""}, key=len, reverse=True
        )

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through without the key."""
        message = record.getMessage()
        hidden = reduce(lambda text, form: text.replace(form, "…"), self._forms, message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        return True
