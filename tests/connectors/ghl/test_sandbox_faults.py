"""The sandbox's faults: which request each strikes, and what it leaves behind."""

from __future__ import annotations

import httpx
import pytest

from connectors.ghl.sandbox import Fault, Sandbox, Settings, serve
from tests.connectors.ghl.rig import PLACE, TOKEN, V2, Rig, rig

PERSON = {"locationId": PLACE, "email": "a@example.com"}


def statuses(one: Rig, count: int) -> list[int]:
    """What so many reads of the location answer."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Version": V2}
    return [
        one.http.request("GET", f"/locations/{PLACE}", headers=headers).status_code
        for _ in range(count)
    ]


RULES = [
    (Fault("status", nth=2), [200, 502, 200, 200]),
    (Fault("status", every=2, status=503), [200, 503, 200, 503]),
    (Fault("status", after=1, count=2, status=500), [200, 500, 500, 200]),
    (Fault("status", method="POST"), [200, 200, 200, 200]),
    (Fault("status", path="/locations/{locationId}", nth=1, status=520), [520, 200, 200, 200]),
    (Fault("status", path="/locations/*", nth=1), [502, 200, 200, 200]),
    (Fault("status", path="/contacts/*", nth=1), [200, 200, 200, 200]),
    (Fault("rate_limited", count=1), [429, 200, 200, 200]),
]


@pytest.mark.parametrize(("fault", "expected"), RULES)
def test_a_rule_strikes_the_requests_it_names(fault: Fault, expected: list[int]) -> None:
    """By method, path template or glob; the nth, each k-th, after some, so often."""
    with rig() as one:
        one.sandbox.arm(fault)
        assert statuses(one, 4) == expected


def test_server_errors_are_json_only_when_they_are_the_apis_own() -> None:
    """A 500 has the API's JSON; 502, 503 and 520 are pages of what stands in front of it, with no JSON at all."""
    with rig() as one:
        for status in (500, 502, 503, 520):
            one.sandbox.arm(Fault("status", status=status, count=1))
            reply = one.call("GET", f"/locations/{PLACE}", expect=status)
            assert (reply["statusCode"] if status == 500 else reply[:9]) in (500, "<!DOCTYPE")


def test_a_probability_is_repeatable_by_its_seed() -> None:
    """The same seed strikes the same requests; another one others."""
    runs = []
    for seed in (7, 7, 8):
        with rig() as one:
            one.sandbox.arm(Fault("status", probability=0.5, seed=seed))
            runs.append(statuses(one, 30))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(502) < 25


def test_a_connection_is_reset_before_or_after_the_write() -> None:
    """Before: nothing is there. After: the contact is there though the client saw a reset."""
    sandbox = Sandbox(Settings(), path=None)
    sandbox.add_location(PLACE)
    sandbox.add_token(TOKEN, PLACE)
    sandbox.arm(
        Fault("reset_before", method="POST", nth=1), Fault("reset_after", method="POST", nth=2)
    )
    headers = {"Authorization": f"Bearer {TOKEN}", "Version": V2}
    with serve(sandbox) as url, httpx.Client(base_url=url, headers=headers) as client:
        for expected in (0, 1):
            with pytest.raises(httpx.ReadError):
                client.post("/contacts/", json=PERSON)
            assert len(sandbox.contacts(PLACE)) == expected
        assert client.post("/contacts/", json=PERSON).status_code == 400
    assert [record.status for record in sandbox.log] == [0, 0, 400]


def test_a_contact_may_be_created_though_the_answer_is_422() -> None:
    """The create is carried out, the answer denies it."""
    with rig() as one:
        one.sandbox.arm(Fault("created_but_422", path="/contacts/", count=1))
        one.call("POST", "/contacts/", PERSON, expect=422)
        assert [contact["email"] for contact in one.sandbox.contacts(PLACE)] == ["a@example.com"]


def test_pages_may_be_short_wrong_stuck_or_repeat_an_id() -> None:
    """A truncated page, a total that is too low, a cursor that leads nowhere, an id twice."""
    with rig() as one:
        ids = one.sandbox.seed_contacts(
            PLACE, ({"dateAdded": 1_700_000_000_000 + n} for n in range(8))
        )
        one.sandbox.arm(Fault("truncated_page", nth=1), Fault("wrong_total", nth=2, amount=3))
        one.sandbox.arm(Fault("stuck_cursor", nth=4), Fault("repeated_ids", nth=5))
        short = one.search(pageLimit=4)
        assert (len(short["contacts"]), short["total"]) == (2, 8)
        assert one.search(pageLimit=4)["total"] == 5
        first = one.search(pageLimit=4)["contacts"]
        assert one.search(pageLimit=4, searchAfter=first[-1]["searchAfter"])["contacts"] == first
        assert [item["id"] for item in one.search(pageLimit=4)["contacts"]] == [
            ids[0],
            ids[1],
            ids[0],
            ids[3],
        ]


def test_the_cdn_answers_with_a_page() -> None:
    """HTML, 403, no rate-limit headers."""
    with rig() as one:
        one.sandbox.arm(Fault("cdn_block", count=1))
        assert "1010" in one.call("GET", f"/locations/{PLACE}", expect=403)
        assert one.last.headers["content-type"].startswith("text/html")
        assert "X-RateLimit-Max" not in one.last.headers


def test_some_contacts_of_a_bulk_tag_request_may_fail() -> None:
    """Every second contact is left untouched and answered with an error."""
    with rig() as one:
        ids = one.sandbox.seed_contacts(PLACE, ({"firstName": f"A{n}"} for n in range(4)))
        one.sandbox.arm(Fault("bulk_tag_errors", amount=2, count=1))
        body = {"contacts": ids, "tags": ["x"], "locationId": PLACE}
        reply = one.call("POST", "/contacts/bulk/tags/update/add", body, expect=201)
        failed = {item["contactId"] for item in reply["responses"] if item["type"] == "error"}
        assert (failed, reply["errorCount"]) == ({ids[0], ids[2]}, 2)
        assert {contact["id"] for contact in one.sandbox.contacts(PLACE) if contact["tags"]} == {
            ids[1],
            ids[3],
        }


def test_a_value_may_be_dropped_in_silence() -> None:
    """The write answers 200 without the field, standard or custom."""
    with rig() as one:
        size = one.sandbox.seed_custom_field(PLACE, "Size")["id"]
        one.sandbox.arm(
            Fault("drop_field", field="city"),
            Fault("drop_field", method="PUT", field=f"customFields.{size}"),
        )
        contact = one.contact(city="Rome", state="NY")
        assert one.call("GET", f"/contacts/{contact}")["contact"]["city"] is None
        body = {"customFields": [{"id": size, "field_value": "L"}]}
        assert one.call("PUT", f"/contacts/{contact}", body)["contact"]["customFields"] == []


def test_an_answer_may_be_cut_or_slow() -> None:
    """Malformed JSON has an honest length; a slow answer comes after its seconds."""
    with rig() as one:
        one.sandbox.arm(Fault("malformed", count=1), Fault("slow", nth=2, seconds=0.01))
        headers = {"Authorization": f"Bearer {TOKEN}", "Version": V2}
        cut = one.http.request("GET", f"/locations/{PLACE}", headers=headers)
        assert int(cut.headers["content-length"]) == len(cut.content)
        with pytest.raises(ValueError, match=r"Expecting|delimiter|Unterminated"):
            cut.json()
        one.call("GET", f"/locations/{PLACE}")


def test_a_filter_may_be_refused() -> None:
    """A search that filters on the field answers 422; others pass."""
    with rig() as one:
        one.sandbox.arm(Fault("refuse_filter", field="dateAdded"))
        body = {"filters": [{"field": "dateAdded", "operator": "range", "value": {"gte": 0}}]}
        asked = {"locationId": PLACE, "pageLimit": 1}
        one.call("POST", "/contacts/search", {**asked, **body}, expect=422)
        one.call(
            "POST", "/contacts/search", {**asked, "filters": [{"group": "AND", **body}]}, expect=422
        )
        one.call("POST", "/contacts/search", asked)


def test_faults_are_set_and_cleared_over_http() -> None:
    """POST /_sandbox/faults arms, answers what is on with its counts, and clears; bad ones are refused by name."""
    with rig() as one:
        fault = {"kind": "status", "nth": 1, "path": "/locations/{locationId}"}
        assert one.http.request("POST", "/_sandbox/faults", json=fault).status_code == 200
        assert statuses(one, 2) == [502, 200]
        report = one.http.request("GET", "/_sandbox/faults").json()["faults"]
        assert [(row["seen"], row["struck"]) for row in report] == [(2, 1)]
        assert one.http.request("POST", "/_sandbox/faults?clear=true").json() == {"faults": []}
        for bad in ({"kind": "fire"}, {"kind": "status", "speed": 1}, {"nth": 1}, "x"):
            refused = one.http.request("POST", "/_sandbox/faults", json=bad)
            assert (refused.status_code, bool(refused.json()["message"])) == (422, True)
