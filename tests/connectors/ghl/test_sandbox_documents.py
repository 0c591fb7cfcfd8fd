"""Every operation of the sandbox, in both versions, against GHL's official documents."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.ghl.sandbox import COMPANY
from connectors.ghl.sandbox.routes import TABLE
from tests.connectors.ghl import openapi
from tests.connectors.ghl.rig import PLACE, TOKEN, V2, V3, Rig, rig

BACK = "http://127.0.0.1:8123/callback"
HEADERS = {"Authorization": "Bearer x", "Version": V2, "Content-Type": "application/json"}
JSON = {"content-type": "application/json"}


def full_contact(one: Rig) -> dict[str, Any]:
    """A write body with every member that both versions take."""
    field = one.sandbox.seed_custom_field(PLACE, "Size")
    key = "fieldValue" if one.version == V3 else "field_value"
    channel = "sms" if one.version == V3 else "SMS"
    texts = (
        "firstName",
        "lastName",
        "address1",
        "city",
        "state",
        "postalCode",
        "website",
        "timezone",
        "source",
    )
    return {
        **{name: name for name in texts},
        "country": "US",
        "email": "full@example.com",
        "phone": "+12125550100",
        "dateOfBirth": "1990-03-04",
        "dnd": True,
        "dndSettings": {channel: {"status": "active", "message": "m", "code": "c"}},
        "inboundDndSettings": {"all": {"status": "active", "message": "m"}},
        "tags": ["a"],
        "customFields": [{"id": field["id"], key: "L"}],
    }


def tour_of_contacts(one: Rig) -> str:
    """Every operation on contacts themselves; returns a contact that lives on."""
    body = full_contact(one)
    contact = one.contact(**body, gender="female", companyName="Acme")
    one.call("PUT", f"/contacts/{contact}", {**body, "lastName": None, "companyName": "Other"})
    one.call("GET", f"/contacts/{contact}")
    one.call("POST", "/contacts/upsert", {"locationId": PLACE, **body})
    spare = one.call(
        "POST", "/contacts/upsert", {"locationId": PLACE, "email": "x@example.com"}, expect=201
    )
    one.call("DELETE", f"/contacts/{spare['contact']['id']}")
    one.call("GET", "/contacts/search/duplicate", locationId=PLACE, email="full@example.com")
    one.sandbox.catch_up()
    page = one.search(filters=[{"field": "email", "operator": "exists"}])
    one.search(searchAfter=page["contacts"][-1]["searchAfter"])
    if one.version == V2:
        one.call("GET", "/contacts/", locationId=PLACE)
    business = one.sandbox.seed_business(PLACE, "Acme")
    link = {"locationId": PLACE, "ids": [contact], "businessId": business}
    one.call("POST", "/contacts/bulk/business", link)
    one.call("GET", f"/contacts/business/{business}", locationId=PLACE)
    for kind in ("add", "remove"):
        bulk = {"locationId": PLACE, "contacts": [contact, "bad"], "tags": ["b"]}
        one.call("POST", f"/contacts/bulk/tags/update/{kind}", bulk, expect=201)
    return contact


def tour_of_children(one: Rig, contact: str) -> None:
    """Every operation on tasks, notes, tags and appointments of a contact."""
    base = f"/contacts/{contact}"
    task = {"title": "t", "body": "b", "dueDate": "2026-01-01T00:00:00Z", "completed": False}
    made = one.call("POST", f"{base}/tasks", task, expect=201)["task"]["id"]
    one.call("GET", f"{base}/tasks")
    one.call("GET", f"{base}/tasks/{made}")
    one.call("PUT", f"{base}/tasks/{made}", {"title": "u"})
    one.call("PUT", f"{base}/tasks/{made}/completed", {"completed": True})
    one.call(
        "POST", f"/locations/{PLACE}/tasks/search", {"limit": 10, "skip": 0, "completed": True}
    )
    one.call("DELETE", f"{base}/tasks/{made}")
    note = one.call(
        "POST",
        f"{base}/notes",
        {"body": "n", "title": "t", "color": "#fff", "pinned": True},
        expect=201,
    )
    one.call("GET", f"{base}/notes")
    one.call("GET", f"{base}/notes/{note['note']['id']}")
    one.call("PUT", f"{base}/notes/{note['note']['id']}", {"body": "m"})
    one.call("DELETE", f"{base}/notes/{note['note']['id']}")
    one.call("POST", f"{base}/tags", {"tags": ["c"]}, expect=201)
    one.call("DELETE", f"{base}/tags", {"tags": ["c"]})
    one.sandbox.seed_appointment(contact)
    one.call("GET", f"{base}/appointments")


def tour_of_opportunities(one: Rig, contact: str) -> None:
    """Every operation on opportunities of a contact, and the list of pipelines."""
    snake = one.version == V2
    one.sandbox.seed_pipeline(PLACE, "Sales", ["New", "Signed"])
    field = one.sandbox.seed_custom_field(PLACE, "Plan", model="opportunity")
    listed = one.call("GET", "/opportunities/pipelines", locationId=PLACE)["pipelines"][0]
    body = {
        "pipelineId": listed["id"],
        "pipelineStageId": listed["stages"][1]["id"],
        "name": "Roof",
        "status": "open",
        "monetaryValue": 500.5,
        "customFields": [{"id": field["id"], "field_value" if snake else "fieldValue": "gold"}],
    }
    whole = {**body, "locationId": PLACE, "contactId": contact}
    made = one.call("POST", "/opportunities/", whole, expect=201)["opportunity"]["id"]
    one.call("POST", "/opportunities/", whole, expect=400)
    one.call("GET", f"/opportunities/{made}")
    one.call("PUT", f"/opportunities/{made}", {**body, "name": "Roof and walls"})
    one.call("PUT", f"/opportunities/{made}/status", {"status": "lost", "lostReasonId": "r"})
    one.sandbox.catch_up()
    place = {"location_id" if snake else "locationId": PLACE}
    page = one.call("GET", "/opportunities/search", status="all", limit=1, **place)["meta"]
    cursor = {name: page[name] for name in ("startAfter", "startAfterId")}
    assert not one.call("GET", "/opportunities/search", **place, **cursor)["opportunities"]
    details = dict.fromkeys(("notes", "tasks", "calendarEvents", "unReadConversations"), False)
    asked = {"locationId": PLACE, "query": "roof", "limit": 10, "page": 1, "searchAfter": []}
    found = one.call("POST", "/opportunities/search", {**asked, "additionalDetails": details})
    assert [each["id"] for each in found["opportunities"]] == [made]
    one.call("DELETE", f"/opportunities/{made}")


def tour_of_the_location(one: Rig) -> None:
    """Every operation on the location, its dictionary, fields, businesses, users and calendars."""
    base = f"/locations/{PLACE}"
    one.call("GET", base)
    tag = one.call("POST", f"{base}/tags", {"name": "New"})["tag"]["id"]
    one.call("GET", f"{base}/tags")
    one.call("GET", f"{base}/tags/{tag}")
    one.call("PUT", f"{base}/tags/{tag}", {"name": "Newer"})
    one.call("DELETE", f"{base}/tags/{tag}")
    field = one.call("POST", f"{base}/customFields", {"name": "F", "dataType": "TEXT"}, expect=201)[
        "customField"
    ]["id"]
    one.call("GET", f"{base}/customFields", model="all")
    one.call("GET", f"{base}/customFields/{field}")
    one.call("PUT", f"{base}/customFields/{field}", {"name": "G"})
    one.call("DELETE", f"{base}/customFields/{field}")
    business = one.call("POST", "/businesses/", {"name": "B", "locationId": PLACE}, expect=201)[
        "buiseness"
    ]["id"]
    one.call("GET", "/businesses/", locationId=PLACE)
    one.call("GET", f"/businesses/{business}")
    one.call("PUT", f"/businesses/{business}", {"name": "C"})
    one.call("DELETE", f"/businesses/{business}")
    if one.version == V2:
        one.call("GET", "/users/", locationId=PLACE)
    one.call("GET", "/users/search", companyId=COMPANY, locationId=PLACE)
    calendar = one.call("GET", "/calendars/", locationId=PLACE)["calendars"][0]["id"]
    one.call(
        "GET",
        "/calendars/events",
        locationId=PLACE,
        calendarId=calendar,
        startTime="0",
        endTime="9999999999999",
    )
    (visit,) = one.sandbox.appointments(PLACE)
    one.call("GET", f"/calendars/events/appointments/{visit['id']}")


def tour_of_oauth(one: Rig) -> None:
    """Every operation of OAuth."""
    one.sandbox.add_client("app", "secret")
    query = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": BACK,
        "user_type": "Company",
    }
    code = (
        one.http.request("GET", "/oauth/chooselocation", params=query)
        .headers["location"]
        .split("code=")[1]
    )
    v3 = one.version == V3
    client = (
        {"clientId": "app", "clientSecret": "secret"}
        if v3
        else {"client_id": "app", "client_secret": "secret"}
    )
    grant = {"grantType" if v3 else "grant_type": "authorization_code", "code": code}
    pair = one.form("/oauth/token", **client, **grant)
    one.token = pair["accessToken" if v3 else "access_token"]
    one.form(
        "/oauth/location-token" if v3 else "/oauth/locationToken",
        companyId=COMPANY,
        locationId=PLACE,
    )
    listing = "/oauth/installed-locations" if v3 else "/oauth/installedLocations"
    one.call("GET", listing, companyId=COMPANY, appId="app")


@pytest.mark.parametrize("version", [V2, V3])
def test_every_operation_fits_the_documents(version: str) -> None:
    """A tour calls each operation of the route table with success, and each exchange passes the official documents."""
    with rig(version) as one:
        contact = tour_of_contacts(one)
        tour_of_children(one, contact)
        tour_of_opportunities(one, contact)
        tour_of_the_location(one)
        tour_of_oauth(one)
        answered = {
            (record.method, record.path) for record in one.sandbox.log if record.status < 300
        }
        published = {
            (op.method, op.path)
            for op in TABLE
            if op.only in (None, "v3" if version == V3 else "v2")
        }
        assert answered == published


@pytest.mark.parametrize("version", [V2, V3])
def test_every_refusal_fits_the_documents(version: str) -> None:
    """400, 401, 403, 404, 422 and 429 have the documented form; where no document declares them, GHL's observed one."""
    with rig(version) as one:
        one.sandbox.add_location("other")
        one.call("GET", "/contacts/none", expect=400)
        one.call("GET", "/contacts/", expect=404 if version == V3 else 403)
        one.call("GET", "/locations/other", expect=403)
        one.call("POST", "/contacts/", {"foo": 1}, expect=422)
        one.call("POST", "/contacts/search", {}, expect=422)
        one.token = None
        one.call("GET", "/contacts/none", expect=401)
        one.token = TOKEN
        one.http.request("POST", "/_sandbox/faults", json={"kind": "rate_limited"})
        one.call("GET", "/contacts/none", expect=429)


DEVIANT: list[tuple[str, str, bytes, int, bytes, str]] = [
    ("POST", "/contacts/", b'{"firstName":"A"}', 201, b"{}", "'locationId' is a required property"),
    ("POST", "/contacts/", b'{"locationId":"l","foo":1}', 201, b"{}", "'foo' was unexpected"),
    ("POST", "/contacts/", b'{"locationId":"l","postalCode":null}', 201, b"{}", "postalCode"),
    ("PUT", "/contacts/x", b'{"tags":"a"}', 200, b"{}", "is not of type 'array'"),
    ("GET", "/contacts/x", b"", 200, b'{"contact":{"id":5}}', "5 is not of type 'string'"),
    ("GET", "/contacts/x", b"", 204, b"", "status 204 is not declared"),
    ("GET", "/contacts/x/hobbies", b"", 200, b"{}", "in no document"),
    (
        "POST",
        "/contacts/search",
        b'{"locationId":"l","pageLimit":1}',
        200,
        b'{"contacts":[]}',
        "'total' is a required",
    ),
    ("GET", "/locations/x", b"", 403, b'{"message":"no"}', "an error must hold statusCode 403"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "reply", "message"), DEVIANT)
def test_the_check_finds_deviations(
    method: str, path: str, body: bytes, status: int, reply: bytes, message: str
) -> None:
    """A wrong request or reply is named; the check is not blind."""
    with pytest.raises(openapi.Deviation, match=message.replace("[", r"\[")):
        openapi.check(V2, method, path, HEADERS, body, status, JSON, reply)


def test_every_excuse_has_a_reason_and_names_a_real_operation() -> None:
    """The list of excused deviations is short, and none of them is for something that does not exist."""
    known = {(op.method, op.path) for op in TABLE}
    assert len(openapi.EXCUSES) <= 8
    for excuse in openapi.EXCUSES:
        assert excuse.reason
        assert (excuse.method, excuse.path) in known


def test_paths_without_a_document_are_said_to_be_unchecked() -> None:
    """Calendars have no document here: the check says so instead of passing them as good."""
    assert openapi.check(V2, "GET", "/calendars/", HEADERS, b"", 200, JSON, b"{}") is False
    assert openapi.check(V2, "GET", "/contacts/x", HEADERS, b"", 200, JSON, b"{}") is True
