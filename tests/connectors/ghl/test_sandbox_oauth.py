"""The sandbox's OAuth: consent, exchange, rotation with grace, agency to location."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.ghl.sandbox import COMPANY
from tests.connectors.ghl.rig import PLACE, V2, V3, Rig, rig

BACK = "http://127.0.0.1:8123/callback"
CLIENT, SECRET = "app-1", "s3cret"
CAMEL = {
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "grant_type": "grantType",
    "refresh_token": "refreshToken",
    "redirect_uri": "redirectUri",
    "code_verifier": "codeVerifier",
}


def consent(one: Rig, **query: str) -> dict[str, str]:
    """What the consent page sends back to the callback."""
    asked = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "state": "s1",
        **query,
    }
    reply = one.http.request("GET", "/oauth/chooselocation", params=asked)
    assert reply.status_code == 302, reply.text
    target = urlsplit(reply.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == BACK
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def ask(one: Rig, *, expect: int = 200, **fields: str) -> dict[str, Any]:
    """A token request in the spelling of the version; the reply in snake case."""
    sent = {"client_id": CLIENT, "client_secret": SECRET, **fields}
    if one.version == V3:
        sent = {CAMEL.get(name, name): value for name, value in sent.items()}
    reply = one.form("/oauth/token", expect=expect, **sent)
    snake = {
        "accessToken": "access_token",
        "refreshToken": "refresh_token",
        "expiresIn": "expires_in",
    }
    return (
        {snake.get(name, name): value for name, value in reply.items()}
        if one.version == V3
        else dict(reply)
    )


def exchange(one: Rig, **query: str) -> dict[str, Any]:
    """A token pair from scratch."""
    code = consent(one, **query)["code"]
    return ask(one, grant_type="authorization_code", code=code, redirect_uri=BACK)


@pytest.mark.parametrize("version", [V2, V3])
def test_a_code_becomes_a_pair_that_opens_the_location(version: str) -> None:
    """The consent page redirects at once with code and state; the code gives a pair with the documented members, once."""
    with rig(version) as one:
        one.sandbox.add_client(CLIENT, SECRET, redirect_uris=[BACK])
        back = consent(one)
        assert back["state"] == "s1"
        pair = ask(one, grant_type="authorization_code", code=back["code"], redirect_uri=BACK)
        assert (pair["expires_in"], pair["userType"], pair["locationId"]) == (
            86_399,
            "Location",
            PLACE,
        )
        one.token = pair["access_token"]
        one.call("POST", "/contacts/search", {"locationId": PLACE, "pageLimit": 1})
        spent = ask(
            one, grant_type="authorization_code", code=back["code"], redirect_uri=BACK, expect=400
        )
        assert spent["error"] == "invalid_grant"
        one.clock.advance(86_400)
        one.call("GET", f"/locations/{PLACE}", expect=401)


@pytest.mark.parametrize("version", [V2, V3])
def test_a_refresh_rotates_the_pair_and_is_forgiven_within_the_grace(version: str) -> None:
    """The old refresh token gives the same new pair for thirty seconds, and nothing after that."""
    with rig(version) as one:
        one.sandbox.add_client(CLIENT, SECRET)
        first = exchange(one)
        second = ask(one, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert second["refresh_token"] != first["refresh_token"]
        one.clock.advance(29)
        again = ask(one, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert (again["access_token"], again["refresh_token"]) == (
            second["access_token"],
            second["refresh_token"],
        )
        one.clock.advance(2)
        spent = ask(
            one, grant_type="refresh_token", refresh_token=first["refresh_token"], expect=400
        )
        assert spent["error"] == "invalid_grant"
        third = ask(one, grant_type="refresh_token", refresh_token=second["refresh_token"])
        one.token = third["access_token"]
        one.call("GET", f"/locations/{PLACE}")


def test_wrong_clients_grants_and_members_are_refused() -> None:
    """Unknown client, wrong secret, unknown grant type, client credentials, missing members, foreign redirect."""
    with rig() as one:
        one.sandbox.add_client(CLIENT, SECRET)
        refresh = {"grant_type": "refresh_token", "refresh_token": "x"}
        assert ask(one, **refresh, client_secret="no", expect=401)["error"] == "invalid_client"
        assert ask(one, **refresh, client_id="no", expect=401)["error"] == "invalid_client"
        assert ask(one, **refresh, expect=400)["error"] == "invalid_grant"
        assert ask(one, grant_type="password", expect=400)["error"] == "unsupported_grant_type"
        assert (
            ask(one, grant_type="client_credentials", expect=400)["error"] == "unauthorized_client"
        )
        assert one.form("/oauth/token", expect=422)["message"] == [
            "client_id should not be empty",
            "client_secret should not be empty",
            "grant_type should not be empty",
        ]
        code = consent(one)["code"]
        elsewhere = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "http://elsewhere",
        }
        assert ask(one, **elsewhere, expect=400)["error"] == "invalid_grant"


def test_v3_wants_camel_case_in_and_gives_camel_case_out() -> None:
    """Under v3 snake case members are not seen."""
    with rig(V3) as one:
        one.sandbox.add_client(CLIENT, SECRET)
        code = consent(one)["code"]
        headers = {"Version": V3}
        snake = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_type": "authorization_code",
            "code": code,
        }
        assert (
            one.http.request("POST", "/oauth/token", data=snake, headers=headers).status_code == 422
        )
        camel = {CAMEL.get(name, name): value for name, value in snake.items()}
        reply = one.http.request("POST", "/oauth/token", data=camel, headers=headers).json()
        assert {"accessToken", "refreshToken", "expiresIn", "tokenType"} <= set(reply)
        assert not {"access_token", "refresh_token"} & set(reply)


def test_a_code_challenge_binds_the_verifier() -> None:
    """With PKCE the exchange needs the verifier; a code lives ten minutes."""
    with rig() as one:
        one.sandbox.add_client(CLIENT, SECRET)
        verifier = "v" * 50
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            .rstrip(b"=")
            .decode()
        )
        grant = {
            "grant_type": "authorization_code",
            "code": consent(one, code_challenge=challenge)["code"],
        }
        assert ask(one, **grant, code_verifier="wrong", expect=400)["error"] == "invalid_grant"
        ask(one, **grant, code_verifier=verifier)
        late = {"grant_type": "authorization_code", "code": consent(one)["code"]}
        one.clock.advance(601)
        assert ask(one, **late, expect=400)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("version", "path"), [(V2, "/oauth/locationToken"), (V3, "/oauth/location-token")]
)
def test_an_agency_token_buys_location_tokens(version: str, path: str) -> None:
    """An agency grant lists its locations and gets a token for one; v3 adds a refresh token, v2 does not."""
    with rig(version) as one:
        one.sandbox.add_client(CLIENT, SECRET)
        agency = exchange(one, user_type="Company")
        assert agency["companyId"] == COMPANY
        one.token = agency["access_token"]
        listing = "/oauth/installed-locations" if version == V3 else "/oauth/installedLocations"
        listed = one.call("GET", listing, companyId=COMPANY, appId=CLIENT)
        assert [item["_id"] for item in listed["items" if version == V3 else "locations"]] == [
            PLACE
        ]
        one.form(path, companyId="another", locationId=PLACE, expect=403)
        one.form(path, companyId=COMPANY, expect=422)
        bought = one.form(path, companyId=COMPANY, locationId=PLACE)
        assert ("refreshToken" in bought or "refresh_token" in bought) is (version == V3)
        one.token = bought["accessToken" if version == V3 else "access_token"]
        one.call("POST", "/contacts/search", {"locationId": PLACE, "pageLimit": 1})


def test_the_consent_page_refuses_what_it_does_not_know() -> None:
    """Unknown clients, foreign redirects and foreign scopes end with 400 and no redirect."""
    with rig() as one:
        one.sandbox.add_client(CLIENT, SECRET, redirect_uris=[BACK], scopes=["contacts.readonly"])
        good = {"response_type": "code", "client_id": CLIENT, "redirect_uri": BACK}
        bad = [
            {"client_id": "no"},
            {"redirect_uri": "http://elsewhere"},
            {"scope": "contacts.write"},
            {"location_id": "no"},
        ]
        for change in bad:
            assert (
                one.http.request(
                    "GET", "/v2/oauth/chooselocation", params={**good, **change}
                ).status_code
                == 400
            )
        pair = exchange(one, scope="contacts.readonly")
        one.token = pair["access_token"]
        one.call("POST", "/contacts/", {"locationId": PLACE}, expect=401)
