"""GHL's OAuth endpoints.

Code to pair, pair to next pair, agency token to location token, in the words of either version.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from connectors.ghl.auth import Tokens
from connectors.ghl.endpoints import DIALECTS, Dialect
from connectors.ghl.settings import HOST
from connectors.http import Answer, Auth, Client, Options, Request, Transport
from reconcile.errors import (
    ConnectorError,
    Exhausted,
    Expired,
    Forbidden,
    InvalidField,
    Malformed,
    Transient,
)

AUTHORIZE = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"

EARLY_SECONDS = 300.0
"""A token is exchanged this long before it expires (a tenth of its life, if that is less).

It must not expire in the air.
"""


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """A marketplace app's own credentials and addresses. The secret never shows in a repr."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""
    scopes: tuple[str, ...] = ()
    user_type: Literal["Location", "Company"] = "Location"
    url: str = HOST
    authorize_url: str = AUTHORIZE
    version: Literal["2021-07-28", "v3"] = "2021-07-28"
    user_agent: str = "ghl-reconcile/0.1"


@dataclass(frozen=True, slots=True)
class Consent:
    """One visit to GHL's consent page: where to send the browser, and what must come back."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def consent(app: OAuthApp) -> Consent:
    """A consent page's address with a fresh state and PKCE challenge.

    GHL does not document the challenge, and may ignore it.
    """
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "scope": " ".join(app.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if app.user_type == "Company":
        query["user_type"] = "Company"
    return Consent(f"{app.authorize_url}?{urlencode(query)}", state, verifier)


class Exchange:
    """Calls the token endpoint for one app. As a function it is the Renewal that OAuth asks for."""

    def __init__(
        self,
        app: OAuthApp,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        transport: Transport | None = None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._dialect = DIALECTS[app.version]
        self._client = client_of(app, sleep=sleep, transport=transport)

    def __repr__(self) -> str:
        return f"Exchange({self._app.client_id!r})"

    def __call__(self, spent: Tokens | None) -> Tokens:
        """The next pair for `spent`.

        Raises Expired where its refresh token is missing, spent or expired.

        Sent again where the answer is lost: within 30 s GHL gives the same new pair
        (docs/ghl.md#authentication).
        """
        if spent is None or not spent.refresh:
            raise Expired(
                "there is no refresh token to renew with", remedy="run ghl-reconcile auth login"
            )
        form = {
            "grant_type": "refresh_token",
            "refresh_token": spent.refresh,
            "user_type": self._app.user_type,
        }
        return self._send(form, replay=True)

    def code(self, code: str, verifier: str = "") -> Tokens:
        """The first pair, for an authorization code.

        It is asked for without the PKCE verifier where GHL does not know that property.
        """
        form = {"grant_type": "authorization_code", "code": code, "user_type": self._app.user_type}
        if self._app.redirect_uri:
            form["redirect_uri"] = self._app.redirect_uri
        # Never twice: a code is spent by its first use, also where the answer is lost.
        if not verifier:
            return self._send(form, replay=False)
        try:
            return self._send({**form, "code_verifier": verifier}, replay=False)
        except InvalidField:
            return self._send(form, replay=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, form: Mapping[str, str], *, replay: bool) -> Tokens:
        whole = {**form, "client_id": self._app.client_id, "client_secret": self._app.client_secret}
        endpoint = self._dialect["oauth.token"]
        request = Request(
            endpoint.method,
            endpoint.path,
            endpoint=endpoint.name,
            form={self._dialect.oauth.get(name, name): value for name, value in whole.items()},
            replay=replay,
        )
        return tokens_of(self._client.send(request).json(), self._dialect, self._clock())


class LocationExchange:
    """A Renewal that asks for a location's token with the agency's (scope oauth.write)."""

    def __init__(
        self,
        app: OAuthApp,
        *,
        agency: Auth,
        company: str,
        location: str,
        clock: Callable[[], float] = time.time,
        transport: Transport | None = None,
    ) -> None:
        self._form = {"companyId": company, "locationId": location}
        self._dialect = DIALECTS[app.version]
        self._clock = clock
        self._client = client_of(app, auth=agency, transport=transport)

    def __call__(self, spent: Tokens | None) -> Tokens:
        """A fresh location token.

        Under v2 it has no refresh token of its own (docs/ghl.md#authentication).
        """
        endpoint = self._dialect["oauth.location"]
        request = Request(
            endpoint.method, endpoint.path, endpoint=endpoint.name, form=self._form, replay=True
        )
        return tokens_of(self._client.send(request).json(), self._dialect, self._clock())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def client_of(
    app: OAuthApp,
    *,
    auth: Auth | None = None,
    sleep: Callable[[float], None] = time.sleep,
    transport: Transport | None = None,
) -> Client:
    """What calls the endpoints of OAuth: in the app's own name, or signed by `auth`."""
    # All tries of a lost renewal fall within the 30 s in which GHL gives the same pair again
    # (docs/ghl.md#authentication).
    options = Options(
        user_agent=app.user_agent,
        headers={"Version": app.version},
        connections=2,
        connect_seconds=3.0,
        read_seconds=8.0,
        attempts=3,
        backoff_limit=1.0,
    )
    return Client(
        app.url, auth=auth, explain=explain_oauth, options=options, transport=transport, sleep=sleep
    )


def tokens_of(reply: Mapping[str, Any], dialect: Dialect, now: float) -> Tokens:
    """A pair from GHL's answer, under either spelling.

    Raises Malformed where there is no access token in it.
    """

    def said(name: str) -> Any:
        return reply.get(dialect.oauth.get(name, name), reply.get(name))

    access = said("access_token")
    if not isinstance(access, str) or not access:
        raise Malformed(
            "expected an access token in GHL's answer, found none",
            remedy="try again; then auth login",
        )
    life = float(said("expires_in") or 86_399)
    return Tokens(
        access=access,
        refresh=said("refresh_token"),
        renew_at=now + life - min(EARLY_SECONDS, life / 10),
        location=reply.get("locationId"),
        company=reply.get("companyId"),
        scopes=tuple(str(reply.get("scope") or "").split()),
    )


def explain_oauth(request: Request, answer: Answer) -> ConnectorError | None:
    """The failure in an answer of an OAuth endpoint.

    The texts of such answers are never repeated, they may hold tokens.
    """
    status = answer.status
    if status < 300:
        return None
    code = "no reason given"
    match answer.parsed():
        case {"error": str(said)} if said.replace("_", "").isalpha():
            code = said
    if status == 429:
        return Exhausted(
            f"{request.name} was refused: too many requests", code="EXHAUSTED_BURST", status=status
        )
    if status >= 500:
        return Transient(
            f"{request.name} was answered {status}",
            remedy="try again when GHL answers",
            status=status,
        )
    if status == 422:
        return InvalidField(
            f"{request.name} was answered 422 ({code})",
            remedy="check the app's settings",
            status=status,
        )
    if status == 403:
        return Forbidden(
            f"{request.name} was refused ({code})", remedy="check the app's scopes", status=status
        )
    remedy = (
        "check the client id and secret"
        if code == "invalid_client"
        else "run ghl-reconcile auth login"
    )
    return Expired(
        f"{request.name} was refused ({code})",
        remedy=remedy,
        status=status,
        trace_id=answer.trace_id,
    )
