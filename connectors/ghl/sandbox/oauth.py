"""OAuth: codes and token pairs (docs/ghl.md#authentication).

Pairs rotate, with a grace, and an agency token gives a location token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from connectors.ghl.sandbox.answers import WRONG_LOCATION, Answer, OAuthRefusal, Refusal, invalid
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.instants import iso
from connectors.ghl.sandbox.nouns import Client, Grant, Location, Row, Token
from connectors.ghl.sandbox.state import State

CODE_SECONDS = 600
V3_KEYS = {
    "access_token": "accessToken",
    "token_type": "tokenType",
    "expires_in": "expiresIn",
    "refresh_token": "refreshToken",
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "grant_type": "grantType",
    "redirect_uri": "redirectUri",
    "code_verifier": "codeVerifier",
    "user_type": "userType",
}


def token(call: Call) -> Answer:
    """POST /oauth/token: form-urlencoded (docs/ghl.md#versions).

    Its names are snake_case in v2, camelCase in v3.
    """
    wanted = _named(call)
    missing = [
        name for name in ("client_id", "client_secret", "grant_type") if not wanted.get(name)
    ]
    if call.version == "v3":
        missing = [V3_KEYS[name] for name in missing]
    if missing:
        raise invalid(*(f"{name} should not be empty" for name in missing))
    client = _client(call.state, wanted)
    match wanted["grant_type"]:
        case "authorization_code":
            return Answer(200, _spelled(call, _exchange(call.state, client, wanted)))
        case "refresh_token":
            return Answer(200, _spelled(call, _refresh(call.state, client, wanted)))
        case "client_credentials":
            raise OAuthRefusal(
                "unauthorized_client", "This client can not use the client_credentials grant"
            )
        case other:
            raise OAuthRefusal("unsupported_grant_type", f"Unsupported grant type: {other}")


def _named(call: Call) -> dict[str, str]:
    if call.version != "v3":
        return {name: str(value) for name, value in call.body.items()}
    snake = {camel: name for name, camel in V3_KEYS.items()}
    return {
        snake.get(name, name): str(value)
        for name, value in call.body.items()
        if name not in V3_KEYS
    }


def _spelled(call: Call, reply: Row) -> Row:
    if call.version == "v3":
        return {V3_KEYS.get(name, name): value for name, value in reply.items()}
    return reply


def _client(state: State, wanted: Mapping[str, str]) -> Client:
    client = state.store.table(Client).get(wanted["client_id"])
    secret = wanted["client_secret"].encode()
    if client is None or not hmac.compare_digest(client.secret.encode(), secret):
        raise OAuthRefusal("invalid_client", "Invalid client: client is invalid", 401)
    return client


def _exchange(state: State, client: Client, wanted: Mapping[str, str]) -> Row:
    grant = _grant(state, client, "code", wanted.get("code", ""))
    if grant is None:
        raise OAuthRefusal("invalid_grant", "Invalid grant: authorization code is invalid")
    if grant.used is not None:
        raise OAuthRefusal("invalid_grant", "Invalid grant: authorization code has been used")
    if grant.redirect_uri and wanted.get("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
        raise OAuthRefusal("invalid_grant", "Invalid grant: `redirect_uri` is invalid")
    if grant.challenge and _challenge(wanted.get("code_verifier", "")) != grant.challenge:
        raise OAuthRefusal("invalid_grant", "Invalid grant: code verifier is invalid")
    state.store.put(msgspec.structs.replace(grant, used=state.now()))
    return _issue(state, grant)


def _grant(state: State, client: Client, kind: str, name: str) -> Grant | None:
    """A client's grant that has not expired."""
    grant = state.store.table(Grant).get(name)
    if grant is None or grant.kind != kind or grant.client != client.id:
        return None
    if grant.expires <= state.now():
        return None
    return grant


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refresh(state: State, client: Client, wanted: Mapping[str, str]) -> Row:
    """A new pair voids the old refresh token.

    Used again within the grace it gives the same new pair.
    """
    grant = _grant(state, client, "refresh", wanted.get("refresh_token", ""))
    now = state.now()
    if grant is None:
        raise OAuthRefusal("invalid_grant", "Invalid grant: refresh token is invalid")
    if grant.used is None:
        reply = _issue(state, grant)
        state.store.put(msgspec.structs.replace(grant, used=now, successor=reply))
        return reply
    if grant.successor is None or now - grant.used > state.settings.refresh_grace_seconds * 1000:
        raise OAuthRefusal("invalid_grant", "Invalid grant: refresh token is invalid")
    return dict(grant.successor)


def _issue(state: State, grant: Grant) -> Row:
    """A new access token and refresh token with the reach of a grant."""
    agency = grant.user_type == "Company"
    access = issue_access(state, grant, "agency" if agency else "oauth")
    refresh = f"rt-{state.new_hex(40)}"
    expires = state.now() + state.settings.refresh_token_seconds * 1000
    state.store.put(
        msgspec.structs.replace(
            grant,
            id=refresh,
            kind="refresh",
            expires=expires,
            used=None,
            successor=None,
            challenge=None,
        )
    )
    place = {} if agency else {"locationId": grant.location_id}
    return {
        **_reply(state, access, grant.scopes),
        "refresh_token": refresh,
        "refreshTokenId": refresh[3:15],
        "userType": grant.user_type,
        "companyId": grant.company_id,
        **place,
        "isBulkInstallation": agency,
    }


def issue_access(state: State, grant: Grant, kind: str) -> Token:
    """Store a new access token for what a grant allows."""
    access = Token(
        id=f"at-{state.new_hex(40)}",
        kind=kind,
        client=grant.client,
        location_id=None if kind == "agency" else grant.location_id,
        company_id=grant.company_id,
        scopes=grant.scopes,
        expires=state.now() + state.settings.access_token_seconds * 1000,
    )
    state.store.put(access)
    return access


def _reply(state: State, access: Token, scopes: tuple[str, ...]) -> Row:
    return {
        "access_token": access.id,
        "token_type": "Bearer",
        "expires_in": state.settings.access_token_seconds,
        "scope": " ".join(scopes),
        "userId": "sandboxUser000000001",
    }


def location_token(call: Call) -> Answer:
    """POST /oauth/locationToken (v3 /oauth/location-token): agency token to location token.

    Under v3 it has a refresh token, too.
    """
    missing = [name for name in ("companyId", "locationId") if not call.body.get(name)]
    if missing:
        raise invalid(*(f"{name} should not be empty" for name in missing))
    token = call.token
    location = call.state.store.table(Location).get(str(call.body["locationId"]))
    if token is None or location is None or not location.installed:
        raise Refusal(403, WRONG_LOCATION)
    if not location.company_id == call.body["companyId"] == token.company_id:
        raise Refusal(403, WRONG_LOCATION)
    scopes = token.scopes or ()
    grant = Grant(
        id="-",
        kind="refresh",
        client=token.client,
        expires=0,
        scopes=scopes,
        user_type="Location",
        location_id=location.id,
        company_id=location.company_id,
    )
    if call.version == "v3":
        return Answer(200, _spelled(call, _issue(call.state, grant)))
    access = issue_access(call.state, grant, "oauth")
    return Answer(200, {**_reply(call.state, access, scopes), "locationId": location.id})


def installed(call: Call) -> Answer:
    """GET /oauth/installedLocations (v3 /oauth/installed-locations).

    Every location of the agency, with whether the app is installed there
    (docs/ghl.md#authentication).
    """
    token = call.token
    if not call.query.get("companyId") or not call.query.get("appId"):
        raise invalid("companyId should not be empty", "appId should not be empty")
    rows = [
        {
            "_id": one.id,
            "name": one.name,
            "address": "",
            "isInstalled": one.installed,
            "installedAt": iso(0),
        }
        for one in call.state.store.table(Location).values()
        if token is not None and one.company_id == token.company_id == call.query["companyId"]
    ]
    if call.version != "v3":
        skip, limit = call.number("skip", 0, len(rows)), call.number("limit", 20, 100)
        return Answer(
            200,
            {
                "locations": rows[skip : skip + limit],
                "count": len(rows),
                "installToFutureLocations": False,
            },
        )
    size, start = call.number("pageSize", 20, 100), call.number("pageToken", 0, len(rows))
    shown = rows[start : start + size]
    more = start + size < len(rows)
    page: dict[str, Any] = {
        "hasNextPage": more,
        "hasPrevPage": start > 0,
        "currentPageSize": len(shown),
    }
    if more:
        page["nextPageToken"] = str(start + size)
    return Answer(200, {"items": shown, "pagination": page})


def choose_location(state: State, query: Mapping[str, str]) -> str:
    """Where the consent page sends the browser.

    The redirect URI with a code and the state, chosen without a person.

    The page is `marketplace.gohighlevel.com/v2/oauth/chooselocation` in life. `location_id` picks
    one of several locations, `user_type=Company` an agency-wide grant. Raises OAuthRefusal for an
    unknown client or redirect URI.
    """
    client = state.store.table(Client).get(query.get("client_id", ""))
    redirect = query.get("redirect_uri", "")
    if client is None or query.get("response_type") != "code":
        raise OAuthRefusal("invalid_request", "client_id is unknown or response_type is not code")
    if not redirect or (client.redirect_uris and redirect not in client.redirect_uris):
        raise OAuthRefusal("invalid_request", "redirect_uri is not registered for this client")
    wanted = tuple(query.get("scope", "").split()) or client.scopes
    foreign = set(wanted) - set(client.scopes)
    if foreign:
        raise OAuthRefusal(
            "invalid_scope", f"not a scope of this client: {', '.join(sorted(foreign))}"
        )
    agency = query.get("user_type") == "Company"
    location = _chosen(state, client, query.get("location_id"))
    grant = Grant(
        id=f"code-{state.new_hex(20)}",
        kind="code",
        client=client.id,
        expires=state.now() + CODE_SECONDS * 1000,
        scopes=wanted,
        user_type="Company" if agency else "Location",
        location_id=None if agency else location.id,
        company_id=client.company_id,
        redirect_uri=redirect,
        challenge=query.get("code_challenge"),
    )
    state.store.put(grant)
    returned = {"code": grant.id}
    if "state" in query:
        returned["state"] = query["state"]
    separator = "&" if "?" in redirect else "?"
    return f"{redirect}{separator}{urlencode(returned)}"


def _chosen(state: State, client: Client, location_id: str | None) -> Location:
    offered = [
        one for one in state.store.table(Location).values() if one.company_id == client.company_id
    ]
    for one in offered:
        if location_id in (None, one.id):
            return one
    raise OAuthRefusal("invalid_request", "the client's company has no such location")
