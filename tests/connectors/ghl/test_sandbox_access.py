"""Who may reach the sandbox, under which version, and how often."""

from __future__ import annotations

import pytest

from connectors.ghl.sandbox import Limit
from tests.connectors.ghl.rig import PLACE, V2, V3, rig


def test_a_missing_or_unpublished_version_answers_401() -> None:
    """The version header is asked for before the token."""
    with rig() as one:
        one.version = None
        assert (
            one.call("GET", f"/locations/{PLACE}", expect=401)["message"]
            == "version header was not found."
        )
        one.version = "2019-01-01"
        assert (
            one.call("GET", f"/locations/{PLACE}", expect=401)["message"]
            == "version header is invalid"
        )
        one.version = "2023-02-21"
        one.call("GET", f"/locations/{PLACE}")


def test_v3_paths_do_not_exist_under_v2() -> None:
    """A path that only v3 has answers 404 under 2021-07-28, as an unknown one does."""
    with rig() as one:
        one.sandbox.add_token("agency", None, kind="agency")
        one.token = "agency"
        refused = one.call(
            "GET", "/oauth/installed-locations", companyId="x", appId="y", expect=404
        )
        assert refused["message"] == "Cannot GET /oauth/installed-locations"
        assert one.call("GET", "/nowhere", expect=404)["error"] == "Not Found"


def test_tokens_are_checked() -> None:
    """No token, an unknown one, an expired one, a revoked one: each answers 401 in its words."""
    with rig() as one:
        one.sandbox.add_token("short", PLACE, expires_in=60)
        one.sandbox.add_token("gone", PLACE)
        one.sandbox.revoke_token("gone")
        expected = {
            None: "Invalid token: access token is invalid",
            "what": "Invalid JWT",
            "gone": "Invalid token: access token is invalid",
        }
        for token, message in expected.items():
            one.token = token
            refused = one.call("GET", f"/locations/{PLACE}", expect=401)
            assert (refused["message"], refused["error"]) == (message, "Unauthorized")
        one.token = "short"
        one.call("GET", f"/locations/{PLACE}")
        one.clock.advance(60)
        one.call("GET", f"/locations/{PLACE}", expect=401)


def test_scopes_are_asked_for_per_operation() -> None:
    """A token without the scope answers 401 that no renewal mends; operations without a scope in the documents ask for none."""
    with rig() as one:
        one.sandbox.add_token("reader", PLACE, scopes=["contacts.readonly"])
        contact = one.contact(email="a@example.com")
        one.token = "reader"
        one.call("GET", f"/contacts/{contact}")
        refused = one.call("PUT", f"/contacts/{contact}", {"city": "Rome"}, expect=401)
        assert refused["message"] == "The token is not authorized for this scope."
        one.call("POST", f"/locations/{PLACE}/tasks/search", {}, expect=401)
        tags = {"contacts": [contact], "tags": ["x"], "locationId": PLACE}
        one.call("POST", "/contacts/bulk/tags/update/add", tags, expect=201)


def test_a_token_reaches_its_own_location_alone() -> None:
    """Another location, by path, body, query or contact, answers 403."""
    with rig() as one:
        one.sandbox.add_location("other")
        far = one.sandbox.seed_contact("other", firstName="Far")
        message = "The token does not have access to this location."
        assert one.call("GET", "/locations/other", expect=403)["message"] == message
        assert one.call("GET", f"/contacts/{far}", expect=403)["message"] == message
        one.call("POST", "/contacts/", {"locationId": "other"}, expect=403)
        one.call("POST", "/contacts/search", {"locationId": "other", "pageLimit": 5}, expect=403)
        one.call("GET", "/businesses/", locationId="other", expect=403)


def test_agency_tokens_and_location_tokens_are_not_interchangeable() -> None:
    """An agency token may read a location, not its contacts; a location token may not ask for location tokens."""
    with rig() as one:
        one.sandbox.add_token("agency", None, kind="agency")
        one.form("/oauth/locationToken", companyId="x", locationId=PLACE, expect=401)
        one.token = "agency"
        one.call("GET", f"/locations/{PLACE}")
        refused = one.call(
            "POST", "/contacts/search", {"locationId": PLACE, "pageLimit": 1}, expect=401
        )
        assert refused["message"].startswith("This authClass type is not allowed")


def test_a_bare_client_signature_is_stopped_by_the_cdn() -> None:
    """The default agent of urllib gets an HTML page, 403, error 1010."""
    with rig() as one:
        reply = one.http.request("GET", "/contacts/x", headers={"User-Agent": "Python-urllib/3.11"})
        assert (reply.status_code, reply.headers["content-type"]) == (
            403,
            "text/html; charset=UTF-8",
        )
        assert "1010" in reply.text


def test_every_answer_tells_the_quota() -> None:
    """The rate-limit headers stand on good answers and on refusals; the daily reset is milliseconds to midnight UTC."""
    with rig(pit=Limit(max=20, daily=10_000)) as one:
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", "/contacts/none", expect=400)
        headers = one.last.headers
        assert headers["X-RateLimit-Max"] == "20"
        assert headers["X-RateLimit-Remaining"] == "18"
        assert headers["X-RateLimit-Interval-Milliseconds"] == "10000"
        assert headers["X-RateLimit-Limit-Daily"] == "10000"
        assert headers["X-RateLimit-Daily-Remaining"] == "9998"
        assert int(headers["X-RateLimit-Daily-Reset"]) == (86_400 - one.clock.now % 86_400) * 1000


def test_the_window_slides() -> None:
    """No window of ten seconds passes more than the maximum; a refused request does not count against it."""
    with rig(pit=Limit(max=3), retry_after=True) as one:
        for _ in range(3):
            one.call("GET", f"/locations/{PLACE}")
            one.clock.advance(1)
        refused = one.call("GET", f"/locations/{PLACE}", expect=429)
        assert refused["statusCode"] == 429
        assert one.last.headers["Retry-After"] == "7"
        one.clock.advance(7)
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", f"/locations/{PLACE}", expect=429)
        assert one.sandbox.max_in_window(PLACE) == 5
        assert [record.limited for record in one.sandbox.log] == [
            False,
            False,
            False,
            True,
            False,
            True,
        ]


def test_the_daily_limit_ends_at_midnight() -> None:
    """A used-up day answers 429 with nothing remaining until the next day begins."""
    with rig(pit=Limit(daily=2)) as one:
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", f"/locations/{PLACE}", expect=429)
        assert one.last.headers["X-RateLimit-Daily-Remaining"] == "0"
        assert "Retry-After" not in one.last.headers
        one.clock.advance(86_400 - one.clock.now % 86_400)
        one.call("GET", f"/locations/{PLACE}")


def test_others_may_spend_the_day() -> None:
    """What other work took from the quota is missing from the remainder, and may use it up."""
    with rig(pit=Limit(daily=10)) as one:
        one.sandbox.spend(PLACE, 8)
        one.call("GET", f"/locations/{PLACE}")
        assert one.last.headers["X-RateLimit-Daily-Remaining"] == "1"
        one.sandbox.spend(PLACE, 1)
        one.call("GET", f"/locations/{PLACE}", expect=429)


def test_a_used_up_day_may_tell_when_it_ends() -> None:
    """With Retry-After on, a daily 429 names the seconds to midnight UTC."""
    with rig(pit=Limit(daily=0), retry_after=True) as one:
        one.call("GET", f"/locations/{PLACE}", expect=429)
        assert int(one.last.headers["Retry-After"]) == 86_400 - one.clock.now % 86_400


def test_an_agency_token_reaches_the_locations_of_its_company_alone() -> None:
    """Its own company's location answers, another company's 403, an unknown one 400."""
    with rig() as one:
        one.sandbox.add_location("other", company_id="another")
        one.sandbox.add_token("agency", None, kind="agency")
        one.token = "agency"
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", "/locations/other", expect=403)
        one.call("GET", "/locations/none", expect=400)


def test_a_quota_belongs_to_a_client_and_a_location() -> None:
    """Two tokens of one client share a quota; another client has its own."""
    with rig(pit=Limit(max=2)) as one:
        one.sandbox.add_token("second", PLACE)
        one.sandbox.add_token("stranger", PLACE, client="stranger")
        one.call("GET", f"/locations/{PLACE}")
        one.token = "second"
        one.call("GET", f"/locations/{PLACE}")
        one.call("GET", f"/locations/{PLACE}", expect=429)
        one.token = "stranger"
        one.call("GET", f"/locations/{PLACE}")


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"'])
def test_a_body_that_is_no_json_object_answers_400(body: bytes) -> None:
    """Broken JSON and other JSON than an object are refused."""
    with rig() as one:
        headers = {
            "Authorization": f"Bearer {one.token}",
            "Version": V2,
            "Content-Type": "application/json",
        }
        assert (
            one.http.request("POST", "/contacts/", content=body, headers=headers).status_code == 400
        )


def test_replies_carry_a_trace_id() -> None:
    """Good replies and refusals hold a traceId, each its own."""
    with rig(V3) as one:
        traces = {
            one.call("GET", f"/locations/{PLACE}")["traceId"],
            one.call("GET", "/x", expect=404)["traceId"],
        }
        assert len(traces) == 2
