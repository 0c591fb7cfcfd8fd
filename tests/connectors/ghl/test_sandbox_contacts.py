"""The sandbox's contacts: shapes, quirks, duplicates, clearing, deletion."""

from __future__ import annotations

import pytest

from tests.connectors.ghl.rig import PLACE, V2, V3, rig


@pytest.mark.parametrize("version", [V2, V3])
def test_a_create_reply_lower_cases_names_and_keeps_the_original_in_raw(version: str) -> None:
    """A create answers 201 with firstName in lower case and firstNameRaw as sent."""
    with rig(version) as one:
        reply = one.call(
            "POST",
            "/contacts/",
            {"locationId": PLACE, "firstName": "Ann", "lastName": "O'Neil"},
            expect=201,
        )
        assert (reply["contact"]["firstName"], reply["contact"]["firstNameRaw"]) == ("ann", "Ann")
        read = one.call("GET", f"/contacts/{reply['contact']['id']}")["contact"]
        assert (read["firstName"], read["lastName"], read["fullNameLowerCase"]) == (
            "Ann",
            "O'Neil",
            "ann o'neil",
        )


def test_the_name_quirk_can_be_switched_off() -> None:
    """Without the quirk a create answers with the names as sent and no Raw members."""
    with rig(lower_case_names=False) as one:
        reply = one.call(
            "POST", "/contacts/", {"locationId": PLACE, "firstName": "Ann"}, expect=201
        )["contact"]
        assert reply["firstName"] == "Ann"
        assert "firstNameRaw" not in reply


def test_a_name_alone_is_split_into_first_and_last() -> None:
    """`name` becomes first name and the rest."""
    with rig() as one:
        read = one.call("GET", f"/contacts/{one.contact(name='Ann van der Lee')}")["contact"]
        assert (read["firstName"], read["lastName"], read["name"]) == (
            "Ann",
            "van der Lee",
            "Ann van der Lee",
        )


def test_phones_are_stored_in_e164_by_the_locations_country() -> None:
    """A national number becomes E.164 by the country of the location; what cannot be a number is refused."""
    with rig() as one:
        one.sandbox.add_location(PLACE, country="GB")
        assert (
            one.call("GET", f"/contacts/{one.contact(phone='020 7946 0018')}")["contact"]["phone"]
            == "+442079460018"
        )
        assert (
            one.call("GET", f"/contacts/{one.contact(phone='+1 888-888-8888')}")["contact"]["phone"]
            == "+18888888888"
        )
        refused = one.call("POST", "/contacts/", {"locationId": PLACE, "phone": "12"}, expect=422)
        assert refused["message"] == ["phone must be a valid phone number"]


def test_the_validator_names_every_fault_of_a_body() -> None:
    """Unknown properties, null where not nullable, wrong types and bad emails are all listed in one 422."""
    with rig() as one:
        contact = one.contact(email="a@example.com")
        body = {
            "gender": "female",
            "locationId": PLACE,
            "postalCode": None,
            "country": 5,
            "email": "nope",
            "tags": "x",
        }
        refused = one.call("PUT", f"/contacts/{contact}", body, expect=422)
        assert refused["error"] == "Unprocessable Entity"
        assert set(refused["message"]) == {
            "property gender should not exist",
            "property locationId should not exist",
            "postalCode must be a string",
            "country must be a string",
            "email must be an email",
            "tags must be an array",
        }
        missing = one.call("POST", "/contacts/", {"firstName": "Ann"}, expect=422)
        assert "locationId must be a string" in missing["message"]


@pytest.mark.parametrize("blank", [None, ""])
def test_null_and_empty_text_both_clear(blank: str | None) -> None:
    """A nullable field is cleared by null and by an empty text; fields not sent stay."""
    with rig() as one:
        contact = one.contact(email="a@example.com", phone="+12125550100", city="Rome", state="NY")
        cleared = one.call("PUT", f"/contacts/{contact}", {"city": blank, "phone": blank})[
            "contact"
        ]
        assert (cleared["city"], cleared["phone"]) == (None, None)
        assert (cleared["state"], cleared["email"]) == ("NY", "a@example.com")


def test_a_duplicate_is_refused_with_the_id_of_the_one_there() -> None:
    """Creating or renaming to an email or phone that another contact has answers 400 with meta."""
    with rig() as one:
        ann = one.contact(firstName="Ann", email="ann@example.com")
        bob = one.contact(firstName="Bob", phone="+12125550100")
        refused = one.call(
            "POST", "/contacts/", {"locationId": PLACE, "email": "ANN@example.com"}, expect=400
        )
        assert refused["message"] == "This location does not allow duplicated contacts."
        assert refused["meta"] == {"contactId": ann, "contactName": "Ann", "matchingField": "email"}
        both = {"locationId": PLACE, "email": "ann@example.com", "phone": "(212) 555-0100"}
        assert one.call("POST", "/contacts/", both, expect=400)["meta"]["contactId"] == ann
        assert (
            one.call("PUT", f"/contacts/{ann}", {"phone": "2125550100"}, expect=400)["meta"][
                "contactId"
            ]
            == bob
        )
        assert (
            one.call("PUT", f"/contacts/{ann}", {"email": "Ann@example.com"})["contact"]["email"]
            == "Ann@example.com"
        )


def test_the_location_decides_which_field_is_matched_first() -> None:
    """With phone first the contact with the phone is named."""
    with rig() as one:
        one.sandbox.add_location(PLACE, match_order=("phone", "email"))
        one.contact(email="ann@example.com")
        bob = one.contact(phone="+12125550100")
        both = {"locationId": PLACE, "email": "ann@example.com", "phone": "+12125550100"}
        refused = one.call("POST", "/contacts/", both, expect=400)
        assert refused["meta"] == {"contactId": bob, "contactName": "", "matchingField": "phone"}


def test_a_location_may_allow_duplicates() -> None:
    """Where duplicates are allowed two contacts may share an email, and the look-up gives the older."""
    with rig() as one:
        one.sandbox.add_location(PLACE, allow_duplicates=True)
        first = one.contact(email="ann@example.com")
        one.clock.advance(1)
        assert one.contact(email="ann@example.com") != first
        found = one.call(
            "GET", "/contacts/search/duplicate", locationId=PLACE, email="Ann@Example.com"
        )
        assert found["contact"]["id"] == first
        assert (
            one.call("GET", f"/locations/{PLACE}")["location"]["settings"]["allowDuplicateContact"]
            is True
        )


@pytest.mark.parametrize("refused", [True, False])
def test_an_update_to_what_another_contact_has_is_refused_or_not(refused: bool) -> None:
    """Whether GHL refuses an update to the email or phone of another contact is not known: the sandbox does either."""
    with rig(refuse_shared_updates=refused) as one:
        ann = one.contact(email="ann@example.com", phone="+12125550100")
        bob = one.contact(email="bob@example.com")
        for field, value in (("email", "Ann@example.com"), ("phone", "+12125550100")):
            answer = one.call(
                "PUT", f"/contacts/{bob}", {field: value}, expect=400 if refused else 200
            )
            if refused:
                assert (answer["meta"]["contactId"], answer["meta"]["matchingField"]) == (
                    ann,
                    field,
                )
        one.call("PUT", f"/contacts/{ann}", {"email": "ann@example.com"})


def test_the_duplicate_look_up_sees_what_search_does_not_yet() -> None:
    """The duplicate look-up is live: it finds by email, then number, also secondary ones, and answers null for none."""
    with rig(lag_seconds=60) as one:
        ann = one.contact(email="ann@example.com", phone="+12125550100")
        look = lambda **by: one.call("GET", "/contacts/search/duplicate", locationId=PLACE, **by)[  # noqa: E731
            "contact"
        ]
        assert one.search()["total"] == 0
        assert look(number="+12125550100")["id"] == ann
        assert look(email="none@example.com") is None
        second = one.sandbox.seed_contact(
            PLACE, email="b@example.com", additionalEmails=["other@example.com"]
        )
        assert look(email="other@example.com")["id"] == second
        refused = one.call("GET", "/contacts/search/duplicate", locationId=PLACE, expect=400)
        assert "Pass at least one of" in refused["message"]


def test_tags_in_an_update_replace_the_whole_set() -> None:
    """PUT tags is the full set, lower-cased, trimmed and single-spaced."""
    with rig() as one:
        contact = one.contact(tags=["VIP", "  New   Lead "])
        assert one.call("GET", f"/contacts/{contact}")["contact"]["tags"] == ["vip", "new lead"]
        assert one.call("PUT", f"/contacts/{contact}", {"tags": ["Other"]})["contact"]["tags"] == [
            "other"
        ]


@pytest.mark.parametrize(
    "written",
    [
        "1990/03/04",
        "03/04/1990",
        "1990-03-04",
        "03-04-1990",
        "1990.03.04",
        "03.04.1990",
        "1990_03_04",
        "03_04_1990",
    ],
)
def test_birth_dates_are_taken_in_every_documented_spelling(written: str) -> None:
    """GET shows ISO with Z, search shows milliseconds."""
    with rig(lag_seconds=0) as one:
        contact = one.contact(dateOfBirth=written)
        assert (
            one.call("GET", f"/contacts/{contact}")["contact"]["dateOfBirth"]
            == "1990-03-04T00:00:00.000Z"
        )
        assert one.search()["contacts"][0]["dateOfBirth"] == 636508800000


def test_custom_fields_merge_by_id_and_are_read_without_key() -> None:
    """Values are taken by id or key and under both value names; fields not sent stay; blanks clear; unknown ones are lost."""
    with rig() as one:
        size = one.sandbox.seed_custom_field(PLACE, "Shirt size")
        score = one.sandbox.seed_custom_field(PLACE, "Score", "NUMERICAL")
        likes = one.sandbox.seed_custom_field(
            PLACE, "Likes", "MULTIPLE_OPTIONS", picklist=["a", "b"]
        )
        since = one.sandbox.seed_custom_field(PLACE, "Since", "DATE")
        sent = [
            {"id": size["id"], "field_value": "L"},
            {"id": score["id"], "key": "score", "field_value": "4.50"},
            {"id": likes["id"], "field_value": ["a", "b"]},
            {"id": since["id"], "field_value": "2020-01-02T22:30:00-05:00"},
            {"id": "nope", "field_value": "lost"},
        ]
        contact = one.contact(customFields=sent)
        values = {
            item["id"]: item["value"]
            for item in one.call("GET", f"/contacts/{contact}")["contact"]["customFields"]
        }
        assert values == {
            size["id"]: "L",
            score["id"]: 4.5,
            likes["id"]: ["a", "b"],
            since["id"]: "2020-01-02",
        }
        cleared = one.call(
            "PUT", f"/contacts/{contact}", {"customFields": [{"id": size["id"], "field_value": ""}]}
        )
        assert {item["id"] for item in cleared["contact"]["customFields"]} == {
            score["id"],
            likes["id"],
            since["id"],
        }
        wrong = {"customFields": [{"id": score["id"], "field_value": "many"}]}
        assert (
            "must be a number"
            in one.call("PUT", f"/contacts/{contact}", wrong, expect=422)["message"][0]
        )


def test_field_value_may_be_spelt_in_camel_case_under_both_versions() -> None:
    """The spelling fieldValue is taken under v3, where it is documented, and under 2021-07-28, where it is not."""
    with rig(V3) as one:
        size = one.sandbox.seed_custom_field(PLACE, "Size")
        contact = one.contact(customFields=[{"id": size["id"], "fieldValue": "L"}])
        one.version = V2
        body = {"customFields": [{"id": size["id"], "fieldValue": "M"}]}
        assert one.call("PUT", f"/contacts/{contact}", body)["contact"]["customFields"] == [
            {"id": size["id"], "value": "M"}
        ]


def test_do_not_disturb_keys_differ_by_version() -> None:
    """v2 names the channel SMS, v3 sms; each refuses the other's key."""
    with rig() as one:
        contact = one.contact(dndSettings={"SMS": {"status": "active"}})
        assert one.call("GET", f"/contacts/{contact}")["contact"]["dndSettings"] == {
            "SMS": {"status": "active"}
        }
        one.version = V3
        assert one.call("GET", f"/contacts/{contact}")["contact"]["dndSettings"] == {
            "sms": {"status": "active"}
        }
        refused = one.call(
            "PUT",
            f"/contacts/{contact}",
            {"dndSettings": {"SMS": {"status": "active"}}},
            expect=422,
        )
        assert refused["message"] == ["dndSettings.property SMS should not exist"]
        assert one.call("PUT", f"/contacts/{contact}", {"city": "Rome"})["succeeded"] is True


def test_a_deleted_contact_answers_400_and_keeps_its_id_when_restored() -> None:
    """Deletion is soft: reads and writes answer 400 not found, a restore brings contact, tasks and notes back."""
    with rig() as one:
        contact = one.contact(email="ann@example.com")
        one.call("POST", f"/contacts/{contact}/notes", {"body": "hello"}, expect=201)
        assert one.call("DELETE", f"/contacts/{contact}")["succeded"] is True
        refused = one.call("GET", f"/contacts/{contact}", expect=400)
        assert refused["message"] == f"Contact not found for id:{contact}"
        assert one.call("DELETE", f"/contacts/{contact}", expect=400)["error"] == "Bad Request"
        assert one.sandbox.notes(PLACE) == []
        one.sandbox.restore_contact(contact)
        assert one.call("GET", f"/contacts/{contact}")["contact"]["email"] == "ann@example.com"
        assert [note["body"] for note in one.sandbox.notes(PLACE)] == ["hello"]


def test_the_survivor_of_a_merge_takes_what_it_lacks() -> None:
    """The master keeps its values and takes the loser's tags, tasks, notes and secondary email; the loser is gone."""
    with rig() as one:
        master = one.contact(email="m@example.com", city="Rome", tags=["a"])
        loser = one.contact(email="l@example.com", city="Paris", state="NY", tags=["b"])
        one.call("POST", f"/contacts/{loser}/notes", {"body": "moved"}, expect=201)
        one.sandbox.merge_contacts(master, loser)
        kept = one.call("GET", f"/contacts/{master}")["contact"]
        assert (kept["city"], kept["state"], kept["tags"]) == ("Rome", "NY", ["a", "b"])
        assert [item["email"] for item in kept["additionalEmails"]] == ["l@example.com"]
        assert [note["body"] for note in one.call("GET", f"/contacts/{master}/notes")["notes"]] == [
            "moved"
        ]
        one.call("GET", f"/contacts/{loser}", expect=400)


def test_upsert_updates_the_first_match_and_drops_the_rest_in_silence() -> None:
    """Email matches A and phone matches B: A is updated, its phone is not, and gender is discarded with 200."""
    with rig() as one:
        ann = one.contact(email="ann@example.com")
        bob = one.contact(phone="+12125550100")
        body = {
            "locationId": PLACE,
            "email": "ann@example.com",
            "phone": "+12125550100",
            "gender": "female",
            "city": "Rome",
        }
        reply = one.call("POST", "/contacts/upsert", body)
        assert (reply["new"], reply["contact"]["id"], reply["contact"]["city"]) == (
            False,
            ann,
            "Rome",
        )
        assert (reply["contact"]["phone"], reply["contact"]["gender"]) == (None, None)
        assert one.call("GET", f"/contacts/{bob}")["contact"]["phone"] == "+12125550100"
        fresh = one.call(
            "POST",
            "/contacts/upsert",
            {"locationId": PLACE, "email": "new@example.com"},
            expect=201,
        )
        assert fresh["new"] is True
        one.call(
            "POST", "/contacts/upsert", {"locationId": PLACE, "firstName": "Nobody"}, expect=400
        )


def test_upsert_by_a_secondary_email_loses_the_primary() -> None:
    """A match by a secondary email makes it primary; the old primary is kept nowhere."""
    with rig() as one:
        contact = one.sandbox.seed_contact(
            PLACE, email="old@example.com", additionalEmails=["second@example.com"]
        )
        reply = one.call(
            "POST", "/contacts/upsert", {"locationId": PLACE, "email": "second@example.com"}
        )
        assert (reply["contact"]["id"], reply["contact"]["email"]) == (
            contact,
            "second@example.com",
        )
        assert reply["contact"]["additionalEmails"] == []


def test_date_updated_moves_with_edits_and_tags_but_not_with_tasks_and_notes() -> None:
    """A contact's dateUpdated is monotonic over contact edits and tags; a new note or task does not touch it."""
    with rig() as one:
        contact = one.contact(email="ann@example.com")
        seen = [one.call("GET", f"/contacts/{contact}")["contact"]["dateUpdated"]]

        def moved() -> bool:
            seen.append(one.call("GET", f"/contacts/{contact}")["contact"]["dateUpdated"])
            return bool(seen[-1] > seen[-2])

        one.call("PUT", f"/contacts/{contact}", {"city": "Rome"})
        assert moved()
        one.call("POST", f"/contacts/{contact}/tags", {"tags": ["x"]}, expect=201)
        assert moved()
        one.clock.advance(60)
        one.call("POST", f"/contacts/{contact}/notes", {"body": "n"}, expect=201)
        task = {"title": "t", "dueDate": "2026-01-01T00:00:00Z", "completed": False}
        one.call("POST", f"/contacts/{contact}/tasks", task, expect=201)
        assert not moved()


def test_the_deprecated_list_pages_by_both_cursor_parts() -> None:
    """GET /contacts/ gives newest first, 20 a page; with half of the cursor it is the first page again; v3 has no such path."""
    with rig(lag_seconds=0) as one:
        ids = [
            one.sandbox.seed_contact(PLACE, firstName=f"Ann{n}", dateAdded=1_700_000_000_000 + n)
            for n in range(25)
        ]
        first = one.call("GET", "/contacts/", locationId=PLACE)
        assert [item["id"] for item in first["contacts"]] == ids[:4:-1]
        assert first["meta"]["total"] == 25
        assert first["contacts"][0]["firstNameRaw"] == "Ann24"
        cursor = {
            "startAfter": first["meta"]["startAfter"],
            "startAfterId": first["meta"]["startAfterId"],
        }
        second = one.call("GET", "/contacts/", locationId=PLACE, **cursor)
        assert [item["id"] for item in second["contacts"]] == ids[4::-1]
        assert second["meta"]["nextPageUrl"] is None
        half = one.call("GET", "/contacts/", locationId=PLACE, startAfterId=cursor["startAfterId"])
        assert half["contacts"] == first["contacts"]
        assert (
            one.call("GET", "/contacts/", expect=403)["message"]
            == "The token does not have access to this location."
        )
        one.version = V3
        one.call("GET", "/contacts/", locationId=PLACE, expect=404)


@pytest.mark.parametrize("version", [V2, V3])
def test_contacts_are_linked_to_a_business_in_bulk_and_listed_by_it(version: str) -> None:
    """Up to 50 contacts a call; null unlinks; the list by business pages by skip and counts all."""
    with rig(version, lag_seconds=0) as one:
        business = one.sandbox.seed_business(PLACE, "Acme")
        ids = [
            one.sandbox.seed_contact(PLACE, firstName=f"A{n}", dateAdded=1_700_000_000_000 + n)
            for n in range(51)
        ]
        body = {"locationId": PLACE, "businessId": business}
        refused = one.call("POST", "/contacts/bulk/business", {**body, "ids": ids}, expect=422)
        assert "no more than 50" in refused["message"][0]
        assert (
            one.call("POST", "/contacts/bulk/business", {**body, "ids": ids[:30]})["ids"]
            == ids[:30]
        )
        listed = one.call("GET", f"/contacts/business/{business}", locationId=PLACE)
        assert (len(listed["contacts"]), listed["count"]) == (25, 30)
        rest = one.call("GET", f"/contacts/business/{business}", locationId=PLACE, skip="25")
        assert [item["id"] for item in rest["contacts"]] == ids[25:30]
        one.call(
            "POST",
            "/contacts/bulk/business",
            {"locationId": PLACE, "businessId": None, "ids": ids[:29]},
        )
        assert one.call("GET", f"/contacts/business/{business}", locationId=PLACE)["count"] == 1


def test_values_of_every_custom_type_are_stored_in_their_form() -> None:
    """Money is a number, a checkbox a list, a date in milliseconds a day, an object itself, a flag a text."""
    with rig() as one:
        types = {
            "MONETORY": "12.50",
            "CHECKBOX": "a",
            "DATE": 1577923200000,
            "FILE_UPLOAD": {"f": {"url": "u"}},
            "TEXT": True,
        }
        ids = {kind: one.sandbox.seed_custom_field(PLACE, kind, kind)["id"] for kind in types}
        contact = one.sandbox.seed_contact(
            PLACE, customFields=[{"id": ids[k], "value": v} for k, v in types.items()]
        )
        held = {
            item["id"]: item["value"]
            for item in one.call("GET", f"/contacts/{contact}")["contact"]["customFields"]
        }
        stored = {kind: held[ids[kind]] for kind in types}
        expected = {
            "MONETORY": 12.5,
            "CHECKBOX": ["a"],
            "DATE": "2020-01-02",
            "FILE_UPLOAD": {"f": {"url": "u"}},
            "TEXT": "True",
        }
        assert stored == expected
        for kind, bad in (("MONETORY", True), ("MONETORY", "inf"), ("DATE", "soon")):
            body = {"customFields": [{"id": ids[kind], "field_value": bad}]}
            one.version = V2
            assert (
                "customFields.0.field_value"
                in one.call("PUT", f"/contacts/{contact}", body, expect=422)["message"][0]
            )


def test_impossible_birth_dates_and_empty_required_texts_are_refused() -> None:
    """The 31st of February is no date; an empty location is no location; a tag list holds texts."""
    with rig() as one:
        for day in ("1990-02-31", "soon"):
            refused = one.call(
                "POST", "/contacts/", {"locationId": PLACE, "dateOfBirth": day}, expect=422
            )
            assert refused["message"] == ["dateOfBirth must be a valid date"]
        assert one.call("POST", "/contacts/", {"locationId": ""}, expect=422)["message"] == [
            "locationId should not be empty"
        ]
        wrong = {"locationId": PLACE, "tags": [1]}
        assert one.call("POST", "/contacts/", wrong, expect=422)["message"] == [
            "each value in tags must be a string"
        ]


def test_quirks_of_emails_and_tags_can_be_switched() -> None:
    """Emails may be stored in lower case, and tags as they are sent."""
    with rig(lower_case_email=True, normalise_tags=False) as one:
        read = one.call(
            "GET", f"/contacts/{one.contact(email='Ann@Example.com', tags=['VIP ', 'vip'])}"
        )["contact"]
        assert (read["email"], read["tags"]) == ("ann@example.com", ["VIP ", "vip"])


def test_seeds_keep_phones_that_are_none() -> None:
    """Data of old may hold what today's validator refuses."""
    with rig() as one:
        contact = one.sandbox.seed_contact(PLACE, phone="ask Bob")
        assert one.call("GET", f"/contacts/{contact}")["contact"]["phone"] == "ask Bob"
