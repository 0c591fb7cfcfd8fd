"""The sandbox's tasks, notes, tags, appointments, custom fields, businesses and users."""

from __future__ import annotations

import pytest

from tests.connectors.ghl.rig import PLACE, V2, V3, rig

TASK = {"title": "Call", "dueDate": "2026-03-04T10:00:00Z", "completed": False}


@pytest.mark.parametrize("version", [V2, V3])
def test_a_task_lives_under_its_contact(version: str) -> None:
    """Create, read, update, complete and delete; due dates come back with milliseconds; no dates of change."""
    with rig(version) as one:
        contact = one.contact(email="a@example.com")
        task = one.call(
            "POST",
            f"/contacts/{contact}/tasks",
            {**TASK, "dueDate": "2026-03-04T11:00:00+01:00"},
            expect=201,
        )
        path = f"/contacts/{contact}/tasks/{task['task']['id']}"
        assert task["task"]["dueDate"] == "2026-03-04T10:00:00.000Z"
        assert set(task["task"]) == {
            "id",
            "title",
            "body",
            "assignedTo",
            "dueDate",
            "completed",
            "contactId",
        }
        assert one.call("PUT", path, {"body": "more"})["task"]["title"] == "Call"
        assert (
            one.call("PUT", f"{path}/completed", {"completed": True})["task"]["completed"] is True
        )
        assert one.call("GET", f"/contacts/{contact}/tasks")["tasks"] == [
            one.call("GET", path)["task"]
        ]
        assert one.call("DELETE", path)["succeded"] is True
        assert one.call("GET", f"/contacts/{contact}/tasks")["tasks"] == []
        one.call("GET", path, expect=400)
        one.call("DELETE", path, expect=400)


def test_a_task_needs_title_due_date_and_state() -> None:
    """A create without them answers 422 naming each; a bad date too."""
    with rig() as one:
        contact = one.contact(email="a@example.com")
        refused = one.call(
            "POST", f"/contacts/{contact}/tasks", {"dueDate": "soon", "colour": 1}, expect=422
        )["message"]
        assert "property colour should not exist" in refused
        assert "dueDate must be a valid ISO 8601 date string" in refused
        assert "title must be a string" in refused
        assert "completed must be a boolean value" in refused


def test_tasks_of_a_location_are_searched_with_their_own_shape() -> None:
    """Items have `_id` and both dates; deleted ones show as deleted; those of other objects have no contactId."""
    with rig() as one:
        ann = one.contact(email="a@example.com")
        bob = one.contact(email="b@example.com")
        ids = []
        for number, contact in enumerate((ann, ann, bob)):
            one.clock.advance(1)
            made = one.call(
                "POST", f"/contacts/{contact}/tasks", {**TASK, "title": f"t{number}"}, expect=201
            )
            ids.append(made["task"]["id"])
        one.clock.advance(1)
        loose = one.sandbox.seed_task(None, location_id=PLACE, title="loose")
        find = lambda **body: one.call("POST", f"/locations/{PLACE}/tasks/search", body)["tasks"]  # noqa: E731
        assert [item["_id"] for item in find()] == [loose, *reversed(ids)]
        assert "contactId" not in find()[0]
        assert "id" not in find()[0]
        assert [item["_id"] for item in find(contactId=[bob])] == [ids[2]]
        assert [item["_id"] for item in find(limit=2, skip=1)] == [ids[2], ids[1]]
        one.call("PUT", f"/contacts/{ann}/tasks/{ids[0]}/completed", {"completed": True})
        assert [item["_id"] for item in find(completed=True)] == [ids[0]]
        one.call("DELETE", f"/contacts/{ann}/tasks/{ids[0]}")
        assert [item["deleted"] for item in find(contactId=[ann])] == [False, True]
        one.call("DELETE", f"/contacts/{ann}")
        assert [item["_id"] for item in find()] == [loose, ids[2]]


def test_task_pages_are_capped_in_silence() -> None:
    """A limit above the maximum gives the maximum."""
    with rig(tasks_page_max=2) as one:
        contact = one.contact(email="a@example.com")
        for _ in range(3):
            one.sandbox.seed_task(contact)
        assert (
            len(one.call("POST", f"/locations/{PLACE}/tasks/search", {"limit": 100})["tasks"]) == 2
        )


def test_a_task_is_assigned_to_users_of_the_location_and_unassigned_by_null() -> None:
    """An unknown user is refused where the location has users; null unassigns."""
    with rig() as one:
        user = one.sandbox.seed_user(PLACE, firstName="Sam")
        contact = one.contact(email="a@example.com")
        task = one.call(
            "POST", f"/contacts/{contact}/tasks", {**TASK, "assignedTo": user}, expect=201
        )["task"]
        path = f"/contacts/{contact}/tasks/{task['id']}"
        assert (
            "assignedTo"
            in one.call("PUT", path, {"assignedTo": "stranger"}, expect=422)["message"][0]
        )
        assert one.call("PUT", path, {"assignedTo": None})["task"]["assignedTo"] is None


@pytest.mark.parametrize("version", [V2, V3])
def test_a_note_lives_under_its_contact_and_shows_no_time_of_change(version: str) -> None:
    """Create, read, update and delete; an edited note differs in its text alone."""
    with rig(version) as one:
        contact = one.contact(email="a@example.com")
        note = one.call(
            "POST", f"/contacts/{contact}/notes", {"body": "one", "pinned": True}, expect=201
        )["note"]
        one.clock.advance(60)
        path = f"/contacts/{contact}/notes/{note['id']}"
        assert one.call("PUT", path, {"body": "two"})["note"] == {**note, "body": "two"}
        one.call("POST", f"/contacts/{contact}/notes", {"body": "three"}, expect=201)
        assert [
            item["body"] for item in one.call("GET", f"/contacts/{contact}/notes")["notes"]
        ] == ["three", "two"]
        assert one.call("DELETE", path)["succeded"] is True
        one.call("GET", path, expect=400)
        assert (
            "body must be a string"
            in one.call("POST", f"/contacts/{contact}/notes", {}, expect=422)["message"]
        )


@pytest.mark.parametrize("version", [V2, V3])
def test_tags_are_added_and_removed_one_contact_at_a_time(version: str) -> None:
    """Adding answers 201 with the whole set and what was new; removing takes a body and matches in any case."""
    with rig(version) as one:
        contact = one.contact(tags=["old"])
        added = one.call(
            "POST", f"/contacts/{contact}/tags", {"tags": ["  New  One ", "OLD"]}, expect=201
        )
        assert (added["tags"], added["tagsAdded"]) == (["old", "new one"], ["new one"])
        assert one.call("DELETE", f"/contacts/{contact}/tags", {"tags": ["NEW ONE", "none"]})[
            "tags"
        ] == ["old"]
        one.call("POST", f"/contacts/{contact}/tags", {"tags": "x"}, expect=422)


@pytest.mark.parametrize("version", [V2, V3])
def test_bulk_tags_answer_per_contact(version: str) -> None:
    """One 201 holds successes with the old tags and errors by their reason."""
    with rig(version) as one:
        ann, gone = one.contact(tags=["a"]), one.contact(firstName="gone")
        one.call("DELETE", f"/contacts/{gone}")
        one.sandbox.add_location("other")
        foreign = one.sandbox.seed_contact("other", firstName="far")
        body = {"contacts": [ann, "short", gone, foreign], "tags": ["B", "a"], "locationId": PLACE}
        reply = one.call("POST", "/contacts/bulk/tags/update/add", body, expect=201)
        assert reply["errorCount"] == 3
        assert [item["message"] for item in reply["responses"]] == [
            "Tags updated",
            "contact id is not a valid firebase id",
            "contact is deleted",
            "contact does not belong to location",
        ]
        assert (reply["responses"][0]["oldTags"], reply["responses"][0]["tagsAdded"]) == (
            ["a"],
            ["b"],
        )
        undo = {**body, "contacts": [ann], "tags": ["a"]}
        one.call("POST", "/contacts/bulk/tags/update/remove", undo, expect=201)
        assert one.call("GET", f"/contacts/{ann}")["contact"]["tags"] == ["b"]
        one.call(
            "POST", "/contacts/bulk/tags/update/remove", {**undo, "removeAllTags": True}, expect=201
        )
        assert one.call("GET", f"/contacts/{ann}")["contact"]["tags"] == []
        one.call(
            "POST", "/contacts/bulk/tags/update/add", {**undo, "removeAllTags": True}, expect=422
        )
        one.call("POST", "/contacts/bulk/tags/update/toggle", undo, expect=404)


@pytest.mark.parametrize("version", [V2, V3])
def test_the_dictionary_keeps_bytes_and_contacts_keep_old_names(version: str) -> None:
    """The dictionary stores what is sent, case duplicates too; a rename does not reach contacts; unknown tags join it."""
    with rig(version) as one:
        contact = one.contact(tags=["Fresh"])
        made = [
            one.call("POST", f"/locations/{PLACE}/tags", {"name": name})["tag"]
            for name in ("VIP", "vip")
        ]
        assert [tag["name"] for tag in one.call("GET", f"/locations/{PLACE}/tags")["tags"]] == [
            "fresh",
            "VIP",
            "vip",
        ]
        one.call("POST", f"/contacts/{contact}/tags", {"tags": ["Vip"]}, expect=201)
        assert len(one.call("GET", f"/locations/{PLACE}/tags")["tags"]) == 3
        path = f"/locations/{PLACE}/tags/{made[0]['id']}"
        assert one.call("PUT", path, {"name": "Very important"})["tag"]["name"] == "Very important"
        assert one.call("GET", path)["tag"]["name"] == "Very important"
        assert one.call("GET", f"/contacts/{contact}")["contact"]["tags"] == ["fresh", "vip"]
        one.call("DELETE", path)
        one.call("GET", path, expect=400)


@pytest.mark.parametrize("version", [V2, V3])
def test_custom_fields_are_made_changed_and_removed(version: str) -> None:
    """The key is made from the name and stays; the type is checked; the list is by model."""
    with rig(version) as one:
        path = f"/locations/{PLACE}/customFields"
        field = one.call("POST", path, {"name": "App Id!", "dataType": "TEXT"}, expect=201)[
            "customField"
        ]
        assert field["fieldKey"] == "contact.app_id"
        again = one.call("POST", path, {"name": "app id", "dataType": "TEXT"}, expect=201)[
            "customField"
        ]
        assert again["fieldKey"] == "contact.app_id_1"
        one.call(
            "POST", path, {"name": "Deal", "dataType": "TEXT", "model": "opportunity"}, expect=201
        )
        assert len(one.call("GET", path, model="contact")["customFields"]) == 2
        assert len(one.call("GET", path, model="all")["customFields"]) == 3
        one.call("POST", path, {"name": "x", "dataType": "COLOUR"}, expect=422)
        renamed = one.call("PUT", f"{path}/{field['id']}", {"name": "Other"})["customField"]
        assert (renamed["name"], renamed["fieldKey"]) == ("Other", "contact.app_id")
        one.call("DELETE", f"{path}/{field['id']}")
        one.call("GET", f"{path}/{field['id']}", expect=400)


@pytest.mark.parametrize("version", [V2, V3])
def test_businesses_are_made_changed_listed_and_removed(version: str) -> None:
    """Create and update answer with `buiseness` (sic)."""
    with rig(version) as one:
        body = {"name": "Acme", "locationId": PLACE, "email": "info@example.com"}
        made = one.call("POST", "/businesses/", body, expect=201)["buiseness"]
        path = f"/businesses/{made['id']}"
        assert one.call("PUT", path, {"city": "Rome"})["buiseness"]["city"] == "Rome"
        assert one.call("GET", path)["business"]["email"] == "info@example.com"
        assert [
            item["id"] for item in one.call("GET", "/businesses/", locationId=PLACE)["businesses"]
        ] == [made["id"]]
        one.call("PUT", path, {"locationId": PLACE}, expect=422)
        assert one.call("DELETE", path)["success"] is True
        one.call("GET", path, expect=400)


def test_appointments_are_read_by_contact_in_local_time_and_by_calendar_in_utc() -> None:
    """A contact's appointments show naive local times; calendar events need a calendar, user or group."""
    with rig() as one:
        contact = one.contact(email="a@example.com")
        user = one.sandbox.seed_user(PLACE)
        start = "2026-07-16T15:00:00Z"
        one.sandbox.seed_appointment(contact, title="Demo", startTime=start, assignedUserId=user)
        events = one.call("GET", f"/contacts/{contact}/appointments")["events"]
        assert events[0]["startTime"] == "2026-07-16 11:00:00"
        one.version = "2021-04-15"
        calendar = one.call("GET", "/calendars/", locationId=PLACE)["calendars"][0]["id"]
        window = {"locationId": PLACE, "startTime": "1784210400000", "endTime": "1784217600000"}
        assert (
            one.call("GET", "/calendars/events", calendarId=calendar, **window)["events"][0][
                "title"
            ]
            == "Demo"
        )
        assert one.call("GET", "/calendars/events", userId="none", **window)["events"] == []
        one.call("GET", "/calendars/events", expect=422, **window)
        later = {**window, "startTime": "1784217600000", "endTime": "1784220000000"}
        assert one.call("GET", "/calendars/events", userId=user, **later)["events"] == []


def test_users_are_listed_under_v2_and_searched_under_both() -> None:
    """GET /users/ is gone from v3; /users/search wants the company."""
    with rig() as one:
        user = one.sandbox.seed_user(
            PLACE, firstName="Sam", lastName="Hill", email="sam@example.com"
        )
        assert [item["id"] for item in one.call("GET", "/users/", locationId=PLACE)["users"]] == [
            user
        ]
        company = one.call("GET", f"/locations/{PLACE}")["location"]["companyId"]
        one.version = V3
        one.call("GET", "/users/", locationId=PLACE, expect=404)
        found = one.call("GET", "/users/search", companyId=company, locationId=PLACE, query="hill")
        assert [item["name"] for item in found["users"]] == ["Sam Hill"]
        one.call("GET", "/users/search", locationId=PLACE, expect=422)
        one.call("GET", "/users/search", companyId="another", locationId=PLACE, expect=403)


def test_tasks_are_searched_by_assignee_title_business_and_lateness() -> None:
    """Each member of the search body narrows; `count` tells all that match."""
    with rig() as one:
        business = one.sandbox.seed_business(PLACE, "Acme")
        ann = one.sandbox.seed_contact(PLACE, firstName="Ann", businessId=business)
        bob = one.sandbox.seed_contact(PLACE, firstName="Bob")
        user = one.sandbox.seed_user(PLACE)
        late = one.sandbox.seed_task(ann, title="Pay", dueDate=1_000_000_000_000, assignedTo=user)
        done = one.sandbox.seed_task(
            bob, title="Call back", dueDate=1_000_000_000_000, completed=True
        )
        version, one.version = (
            one.version,
            "2021-04-15",
        )  # `count` and `overdue` are in use, not in the documents
        find = lambda **body: one.call("POST", f"/locations/{PLACE}/tasks/search", body)  # noqa: E731
        assert [item["_id"] for item in find(assignedTo=[user])["tasks"]] == [late]
        assert [item["_id"] for item in find(query="BACK")["tasks"]] == [done]
        assert [item["_id"] for item in find(businessId=business)["tasks"]] == [late]
        assert [item["_id"] for item in find(overdue=True)["tasks"]] == [late]
        assert find(count=True, limit=1)["count"] == 2
        one.version = version


def test_deleted_tasks_may_be_left_out_of_the_search() -> None:
    """With the switch off the search shows live tasks alone."""
    with rig(deleted_tasks_in_search=False) as one:
        contact = one.contact(email="a@example.com")
        one.sandbox.delete_task(one.sandbox.seed_task(contact))
        assert one.call("POST", f"/locations/{PLACE}/tasks/search", {})["tasks"] == []


def test_what_belongs_to_another_location_or_contact_is_not_found() -> None:
    """Businesses elsewhere answer 403; tasks and notes under another contact, 400; a link there 422."""
    with rig() as one:
        one.sandbox.add_location("other")
        far = one.sandbox.seed_business("other", "Far")
        one.call("GET", f"/businesses/{far}", expect=403)
        ann, bob = one.contact(email="a@example.com"), one.contact(email="b@example.com")
        task, note = one.sandbox.seed_task(ann), one.sandbox.seed_note(ann, body="n")
        one.call("GET", f"/contacts/{bob}/tasks/{task}", expect=400)
        one.call("GET", f"/contacts/{bob}/notes/{note}", expect=400)
        one.call("GET", f"/contacts/business/{far}", locationId=PLACE, expect=400)
        link = {"locationId": PLACE, "ids": [ann], "businessId": far}
        one.call("POST", "/contacts/bulk/business", link, expect=422)
        unknown = {"locationId": PLACE, "ids": ["none", ann], "businessId": None}
        assert one.call("POST", "/contacts/bulk/business", unknown)["ids"] == [ann]
        stranger = one.sandbox.seed_user("other")
        one.call("POST", f"/contacts/{ann}/notes", {"body": "n", "userId": stranger}, expect=422)


def test_bad_numbers_dates_and_models_in_a_query_are_refused() -> None:
    """A limit that is no number, a calendar window without milliseconds, an unknown model of fields: 422."""
    with rig() as one:
        one.version = "2021-04-15"
        one.call("GET", "/businesses/", locationId=PLACE, limit="many", expect=422)
        one.call(
            "GET",
            "/calendars/events",
            locationId=PLACE,
            userId="u",
            startTime="now",
            endTime="1",
            expect=422,
        )
        one.call("GET", f"/locations/{PLACE}/customFields", model="company", expect=422)


def test_a_business_is_paged_by_cursor_under_v3() -> None:
    """GET /contacts/business takes startAfter[] of the last item; a text query narrows."""
    with rig(V3, lag_seconds=0) as one:
        business = one.sandbox.seed_business(PLACE, "Acme")
        added = 1_700_000_000_000
        for number in range(4):
            one.sandbox.seed_contact(
                PLACE, firstName=f"A{number}", dateAdded=added + number, businessId=business
            )
        first = one.call("GET", f"/contacts/business/{business}", locationId=PLACE, limit="3")[
            "contacts"
        ]
        params = {"locationId": PLACE, "startAfter[]": [str(added + 2), first[-1]["id"]]}
        rest = one.http.request(
            "GET",
            f"/contacts/business/{business}",
            params=params,
            headers={"Authorization": f"Bearer {one.token}", "Version": V3},
        ).json()
        assert [item["firstNameRaw"] for item in rest["contacts"]] == ["A3"]
        assert (
            one.call("GET", f"/contacts/business/{business}", locationId=PLACE, query="a1")["count"]
            == 1
        )


def test_picklists_and_options_are_told() -> None:
    """A field with choices lists them, as seeded or as made over HTTP."""
    with rig() as one:
        seeded = one.sandbox.seed_custom_field(
            PLACE, "Likes", "SINGLE_OPTIONS", picklist=["a", "b"]
        )
        path = f"/locations/{PLACE}/customFields"
        assert one.call("GET", f"{path}/{seeded['id']}")["customField"]["picklistOptions"] == [
            "a",
            "b",
        ]
        body = {
            "name": "Size",
            "dataType": "TEXTBOX_LIST",
            "textBoxListOptions": [{"label": "S"}, {"label": "M"}],
        }
        assert one.call("POST", path, body, expect=201)["customField"]["picklistOptions"] == [
            "S",
            "M",
        ]
