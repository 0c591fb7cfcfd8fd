"""The sandbox's contact search: lag, cursor, total, filters, and what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from connectors.ghl.sandbox import Fault
from tests.connectors.ghl.rig import PLACE, V2, V3, Rig, rig

START = 1_700_000_000_000


def seeded(one: Rig, count: int, **fields: Any) -> list[str]:
    """Contacts one millisecond apart, pairs of them at the same instant."""
    rows = ({"firstName": f"Ann{n}", "dateAdded": START + n // 2, **fields} for n in range(count))
    return one.sandbox.seed_contacts(PLACE, rows)


def sweep(one: Rig, **body: Any) -> list[str]:
    """All ids by cursor."""
    found: list[str] = []
    cursor: list[Any] = []
    while True:
        page = one.search(**body, **({"searchAfter": cursor} if cursor else {}))["contacts"]
        found += [item["id"] for item in page]
        if not page:
            return found
        cursor = page[-1]["searchAfter"]


@pytest.mark.parametrize("version", [V2, V3])
@pytest.mark.parametrize("field", ["dateAdded", "dateUpdated", "firstNameLowerCase"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_the_cursor_of_the_last_item_leads_through_every_contact_once(
    version: str, field: str, direction: str
) -> None:
    """By any sort and direction, also with equal sort values, each contact comes once and total counts all."""
    with rig(version) as one:
        ids = seeded(one, 23)
        sort = [{"field": field, "direction": direction}]
        found = sweep(one, pageLimit=5, sort=sort)
        assert sorted(found) == sorted(ids)
        assert one.search(pageLimit=5, sort=sort)["total"] == 23


def test_pages_by_number_reach_only_the_first_ten_thousand() -> None:
    """Pages count from one, may not go past 10,000 records, and do not mix with a cursor."""
    with rig() as one:
        ids = seeded(one, 7)
        pages = [
            [item["id"] for item in one.search(pageLimit=3, page=n)["contacts"]] for n in (1, 2, 3)
        ]
        assert sorted(itertools.chain(*pages)) == sorted(ids)
        asked = {"locationId": PLACE, "pageLimit": 500}
        one.call("POST", "/contacts/search", {**asked, "page": 21}, expect=400)
        one.call(
            "POST",
            "/contacts/search",
            {**asked, "page": 1, "searchAfter": [START, ids[0]]},
            expect=400,
        )


def test_the_wrong_cursor_key_gives_the_first_page_again() -> None:
    """`startAfter` is taken in silence and ignored."""
    with rig() as one:
        seeded(one, 6)
        first = one.search(pageLimit=2)["contacts"]
        asked = {
            "locationId": PLACE,
            "pageLimit": 2,
            "sort": [{"field": "dateAdded", "direction": "asc"}],
        }
        again = one.http.request(
            "POST",
            "/contacts/search",
            json={**asked, "startAfter": first[-1]["searchAfter"]},
            headers={"Authorization": f"Bearer {one.token}", "Version": V2},
        )
        assert again.json()["contacts"] == first


def test_search_trails_every_write_by_the_lag() -> None:
    """A new contact is missing, an edited one old, a deleted one there, until the lag has passed; GET is at once right."""
    with rig(lag_seconds=30) as one:
        old = one.sandbox.seed_contact(PLACE, firstName="Old", city="Rome")
        new = one.contact(firstName="New")
        one.call("PUT", f"/contacts/{old}", {"city": "Paris"})
        assert one.call("GET", f"/contacts/{old}")["contact"]["city"] == "Paris"
        assert [(item["id"], item["city"]) for item in one.search()["contacts"]] == [(old, "Rome")]
        one.clock.advance(29)
        assert one.search()["total"] == 1
        one.clock.advance(1)
        assert {item["id"]: item["city"] for item in one.search()["contacts"]} == {
            old: "Paris",
            new: None,
        }
        one.call("DELETE", f"/contacts/{new}")
        assert one.search()["total"] == 2
        one.sandbox.catch_up()
        assert [item["id"] for item in one.search()["contacts"]] == [old]
        one.sandbox.restore_contact(new)
        one.clock.advance(31)
        assert one.search()["total"] == 2


def test_an_older_write_that_lags_more_never_covers_a_newer_one() -> None:
    """A write with extra lag arrives at the index after the next write, and is not shown."""
    with rig(lag_seconds=1) as one:
        contact = one.sandbox.seed_contact(PLACE, city="Rome")
        one.sandbox.arm(Fault("extra_lag", method="PUT", nth=1, seconds=60))
        one.call("PUT", f"/contacts/{contact}", {"city": "Paris"})
        one.call("PUT", f"/contacts/{contact}", {"city": "Oslo"})
        one.clock.advance(2)
        assert one.search()["contacts"][0]["city"] == "Oslo"
        one.clock.advance(100)
        assert one.search()["contacts"][0]["city"] == "Oslo"


def test_search_items_have_their_own_shape() -> None:
    """`address` instead of address1, no timezone, custom dates in milliseconds, lower-case companions of the names."""
    with rig(lag_seconds=0) as one:
        since = one.sandbox.seed_custom_field(PLACE, "Since", "DATE")
        custom = [{"id": since["id"], "field_value": "2020-01-02"}]
        business = one.sandbox.seed_business(PLACE, "Acme")
        one.sandbox.seed_contact(
            PLACE,
            firstName="Ann",
            address1="1 Main St",
            timezone="Europe/Rome",
            customFields=custom,
            businessId=business,
        )
        item = one.search()["contacts"][0]
        assert (item["firstName"], item["firstNameLowerCase"], item["address"]) == (
            "Ann",
            "ann",
            "1 Main St",
        )
        assert "address1" not in item
        assert "timezone" not in item
        assert item["customFields"] == [{"id": since["id"], "value": 1577923200000}]
        assert (item["businessName"], item["businessId"]) == ("Acme", business)
        assert item["email"] is None


def test_nulls_may_be_left_out() -> None:
    """With explicit_nulls off, members without a value are absent from search and GET."""
    with rig(lag_seconds=0, explicit_nulls=False) as one:
        contact = one.contact(firstName="Ann")
        assert "email" not in one.search()["contacts"][0]
        assert "email" not in one.call("GET", f"/contacts/{contact}")["contact"]


FILTERED: list[tuple[Any, set[str]]] = [
    ([{"field": "email", "operator": "eq", "value": "ANN@example.com"}], {"Ann"}),
    ([{"field": "email", "operator": "not_eq", "value": "ann@example.com"}], {"Bob", "Cid"}),
    (
        [{"field": "email", "operator": "eq", "value": ["ann@example.com", "bob@example.com"]}],
        {"Ann", "Bob"},
    ),
    ([{"field": "email", "operator": "contains", "value": "BOB"}], {"Bob"}),
    ([{"field": "email", "operator": "not_contains", "value": "bob"}], {"Ann", "Cid"}),
    ([{"field": "email", "operator": "exists"}], {"Ann", "Bob"}),
    ([{"field": "email", "operator": "not_exists"}], {"Cid"}),
    ([{"field": "tags", "operator": "eq", "value": "vip"}], {"Ann", "Cid"}),
    ([{"field": "tags", "operator": "contains", "value": "ol"}], {"Bob"}),
    (
        [{"field": "dateAdded", "operator": "range", "value": {"gte": START + 1, "lt": START + 2}}],
        {"Bob"},
    ),
    (
        [{"field": "dateAdded", "operator": "range", "value": {"gt": "2023-11-14T22:13:20.000Z"}}],
        {"Bob", "Cid"},
    ),
    ([{"field": "dateUpdated", "operator": "range", "value": {"lte": START + 1}}], {"Ann", "Bob"}),
    (
        [
            {
                "group": "OR",
                "filters": [
                    {"field": "city", "operator": "eq", "value": "rome"},
                    {"field": "firstName", "operator": "eq", "value": "Cid"},
                ],
            },
            {"group": "AND", "filters": [{"field": "tags", "operator": "eq", "value": "vip"}]},
        ],
        {"Ann", "Cid"},
    ),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERED)
def test_filters_choose_contacts(filters: Any, expected: set[str]) -> None:
    """Each operator, ranges by ISO text or milliseconds, and nested groups."""
    with rig() as one:
        people = [
            {"firstName": "Ann", "email": "ann@example.com", "tags": ["VIP"], "city": "Rome"},
            {"firstName": "Bob", "email": "bob@example.com", "tags": ["old"]},
            {"firstName": "Cid", "tags": ["vip"]},
        ]
        for number, row in enumerate(people):
            one.sandbox.seed_contact(PLACE, **row, dateAdded=START + number)
        reply = one.search(filters=filters)
        assert {item["firstName"] for item in reply["contacts"]} == expected
        assert reply["total"] == len(expected)


def test_custom_fields_businesses_and_text_can_be_searched() -> None:
    """`customFields.<id>`, businessId, and a text query over name, email, phone and company."""
    with rig(lag_seconds=0) as one:
        size = one.sandbox.seed_custom_field(PLACE, "Size")
        business = one.sandbox.seed_business(PLACE, "Acme")
        ann = one.sandbox.seed_contact(
            PLACE, firstName="Ann", customFields=[{"id": size["id"], "field_value": "L"}]
        )
        bob = one.sandbox.seed_contact(
            PLACE, firstName="Bob", companyName="Acme Ltd", businessId=business
        )
        by = lambda **body: [item["id"] for item in one.search(**body)["contacts"]]  # noqa: E731
        assert by(
            filters=[{"field": f"customFields.{size['id']}", "operator": "eq", "value": "L"}]
        ) == [ann]
        assert by(filters=[{"field": "businessId", "operator": "eq", "value": business}]) == [bob]
        assert by(query="ACME") == [bob]
        assert by(query="ann") == [ann]


def test_independent_ranges_of_date_added_cover_everything_once() -> None:
    """Cursors over disjoint ranges of dateAdded give each contact once, and their totals add up."""
    with rig() as one:
        ids = seeded(one, 40)
        cuts = [START, START + 7, START + 8, START + 20]
        found: list[str] = []
        totals = 0
        for low, high in itertools.pairwise(cuts):
            only = [{"field": "dateAdded", "operator": "range", "value": {"gte": low, "lt": high}}]
            totals += one.search(filters=only)["total"]
            found += sweep(one, pageLimit=4, filters=only)
        assert sorted(found) == sorted(ids)
        assert totals == 40


def test_a_filtered_search_follows_later_writes() -> None:
    """A search asked again with the same filter sees what changed in between."""
    with rig(lag_seconds=0) as one:
        contact = one.sandbox.seed_contact(PLACE, city="Rome")
        only = [{"field": "city", "operator": "eq", "value": "rome"}]
        assert one.search(filters=only)["total"] == 1
        one.call("PUT", f"/contacts/{contact}", {"city": "Oslo"})
        assert one.search(filters=only)["total"] == 0


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"pageLimit": None}, 422, "pageLimit must be a number"),
    ({"locationId": 5}, 422, "locationId must be a string"),
    ({"pageLimit": 501}, 422, "pageLimit must not be greater than 500"),
    ({"pageLimit": 0}, 422, "pageLimit must not be less than 1"),
    ({"color": "red"}, 422, "property color should not exist"),
    ({"query": "x" * 76}, 422, "75 characters"),
    ({"filters": [{"field": "shoe", "operator": "eq", "value": 1}]}, 400, "Invalid field shoe"),
    (
        {"filters": [{"field": "dateUpdated", "operator": "gte", "value": START}]},
        422,
        "Invalid Operator passed for field date_updated",
    ),
    ({"filters": [{"field": "email", "operator": "like", "value": "x"}]}, 422, "Invalid Operator"),
    (
        {"filters": [{"field": "dateAdded", "operator": "range", "value": {"gte": "soon"}}]},
        422,
        "not a date",
    ),
    ({"filters": [{"group": "XOR", "filters": []}]}, 422, "AND, OR"),
    ({"sort": [{"field": "dateAdded", "direction": "up"}]}, 422, "asc, desc"),
    ({"searchAfter": ["x"]}, 400, "Invalid searchAfter"),
]


@pytest.mark.parametrize(("body", "status", "message"), REFUSED)
def test_search_refuses_what_it_does_not_know(
    body: dict[str, Any], status: int, message: str
) -> None:
    """Bad fields, operators, limits and cursors are refused by name."""
    with rig() as one:
        seeded(one, 2)
        refused = one.call(
            "POST",
            "/contacts/search",
            {"locationId": PLACE, "pageLimit": 10, **body},
            expect=status,
        )
        assert message in str(refused["message"])


def test_a_missing_location_and_page_limit_are_both_named() -> None:
    """An empty search body answers 422 naming both members."""
    with rig() as one:
        refused = one.call("POST", "/contacts/search", {}, expect=422)
        assert {"locationId must be a string", "locationId should not be empty"} < set(
            refused["message"]
        )
        assert any(message.startswith("pageLimit") for message in refused["message"])
