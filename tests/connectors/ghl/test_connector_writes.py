"""One Reply a Write, whatever goes wrong; nothing made twice; bulk where GHL has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from connectors.ghl.sandbox import Fault, Limit
from reconcile.errors import Blocked, Expired, Forbidden, InvalidField, WrongLocation
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Proof, Reply, Scope, Write
from tests.connectors.ghl.fake_ghl import Script, answer, connector
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, Hosted, hosted, unlimited

CONTACT = {"firstName": "Ada", "email": "ada@example.com"}
DUE = "2026-01-02T03:04:05.000Z"
NATIVE = {
    Entity.CONTACT: ("firstName", "lastName", "email", "phone", "city", "tags", "businessId"),
    Entity.TASK: ("title", "body", "dueDate", "completed"),
    Entity.NOTE: ("body", "title"),
}


def create(fields: Mapping[str, Json], op_id: str = "c", **more: Any) -> Write:
    """A contact to make."""
    return Write(op_id, OpKind.CREATE, Entity.CONTACT, fields=fields, **more)


def change(key: str, fields: Mapping[str, Json], op_id: str = "u") -> Write:
    """A contact to change."""
    return Write(op_id, OpKind.UPDATE, Entity.CONTACT, key, fields=fields)


def one(host: Hosted, write: Write) -> Reply:
    """The reply to a single write."""
    (reply,) = host.connector.write([write])
    return reply


def count(host: Hosted, method: str, template: str) -> int:
    """How many requests of an endpoint reached the sandbox."""
    return sum(record.method == method and record.path == template for record in host.sandbox.log)


# Creating.


def test_a_duplicate_names_the_contact_that_exists() -> None:
    """GHL's refusal carries the id of the contact that has the email: it becomes an adoption, not a new contact."""
    with hosted(fields=NATIVE) as host:
        key = host.sandbox.seed_contact(LOCATION, **CONTACT)
        reply = one(host, create(CONTACT))
        assert (reply.status, reply.code, reply.key) == (Status.REJECTED, "DUPLICATE", key)
        assert "Ada" not in reply.detail


def test_a_create_carries_tags_and_business() -> None:
    """Tags go with the create, the business link through its own endpoint; the record shows both."""
    with hosted(fields=NATIVE) as host:
        business = host.sandbox.seed_business(LOCATION, "Acme")
        reply = one(host, create({**CONTACT, "businessId": business, "city": None}, tags=("VIP",)))
        assert reply.record is not None
        assert reply.record.fields["tags"] == ["vip"]
        assert reply.record.fields["businessId"] == business
        assert reply.record.fields["firstName"] == "Ada"
        assert reply.record.modified_at
        (held,) = host.sandbox.contacts(LOCATION)
        assert held["businessId"] == business


def test_tags_may_stand_among_the_fields_of_a_create() -> None:
    """A create may name its tags as a field."""
    with hosted(fields=NATIVE) as host:
        reply = one(host, create({**CONTACT, "tags": ["a", "b"]}))
        assert reply.record is not None
        assert reply.record.fields["tags"] == ["a", "b"]


def test_an_update_never_carries_tags() -> None:
    """PUT would replace the whole set: it is rejected before anything is sent."""
    with hosted(fields=NATIVE) as host:
        key = host.sandbox.seed_contact(LOCATION, **CONTACT)
        assert one(host, change(key, {"tags": ["a"]})).code == "TAGS"
        assert count(host, "PUT", "/contacts/{contactId}") == 0


@pytest.mark.parametrize("name", ["additionalEmails", "additionalPhones", "dateAdded"])
def test_what_ghl_does_not_take_is_rejected_by_name(name: str) -> None:
    """A read-only field is named, and nothing is sent."""
    with hosted() as host:
        reply = one(host, create({**CONTACT, name: "x"}))
        assert (reply.status, reply.code) == (Status.REJECTED, "READ_ONLY")
        assert name in reply.detail
        assert count(host, "POST", "/contacts/") == 0


def test_gender_is_set_at_create_alone() -> None:
    """GHL refuses gender in an update (docs/ghl.md#contacts), so it is not sent."""
    with hosted() as host:
        key = str(one(host, create({**CONTACT, "gender": "female"})).key)
        assert one(host, change(key, {"gender": "male"})).code == "CREATE_ONLY"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("reset_before", Status.UNCERTAIN),
        ("reset_after", Status.UNCERTAIN),
        ("malformed", Status.UNCERTAIN),
        ("status", Status.UNCERTAIN),
        ("status 401", Status.UNCERTAIN),
        ("rate_limited", Status.DONE),
        ("slow", Status.DONE),
    ],
)
@pytest.mark.parametrize("entity", [Entity.CONTACT, Entity.TASK, Entity.NOTE], ids=str)
def test_a_create_is_never_sent_twice_blindly(entity: Entity, kind: str, status: Status) -> None:
    """A create whose answer is lost is uncertain, and look tells whether it happened; a 429 is simply sent again."""
    with hosted(fields=NATIVE) as host:
        parent = (
            None
            if entity is Entity.CONTACT
            else host.sandbox.seed_contact(LOCATION, email="p@example.com")
        )
        fields = {
            Entity.CONTACT: CONTACT,
            Entity.TASK: {"title": "Call", "dueDate": DUE, "completed": False},
            Entity.NOTE: {"body": "Hello"},
        }[entity]
        timed_out = {"status": 401, "message": "Command timed out"} if kind == "status 401" else {}
        fault = {"kind": kind.split()[0], "method": "POST", "nth": 1, "seconds": 0.01, **timed_out}
        host.sandbox.arm(Fault.parse(fault))
        write = Write("c", OpKind.CREATE, entity, parent=parent, fields=fields)  # type: ignore[arg-type]
        reply = one(host, write)
        assert reply.status is status
        held = {
            Entity.CONTACT: [row for row in host.sandbox.contacts(LOCATION) if row["id"] != parent],
            Entity.TASK: host.sandbox.tasks(LOCATION),
            Entity.NOTE: host.sandbox.notes(LOCATION),
        }[entity]
        assert len(held) == (0 if kind.startswith(("reset_before", "status")) else 1)
        assert [record.key for record in host.connector.look(write)] == [row["id"] for row in held]


@pytest.mark.parametrize("entity", [Entity.CONTACT, Entity.TASK, Entity.NOTE], ids=str)
def test_a_422_that_created_all_the_same_is_found(entity: Entity) -> None:
    """GHL was seen to answer 422 and create the record (docs/ghl.md#errors): it is looked for, and done."""
    with hosted(fields=NATIVE) as host:
        parent = (
            None
            if entity is Entity.CONTACT
            else host.sandbox.seed_contact(LOCATION, email="p@example.com")
        )
        fields = {
            Entity.CONTACT: CONTACT,
            Entity.TASK: {"title": "Call", "dueDate": DUE, "completed": False},
            Entity.NOTE: {"body": "Hello"},
        }[entity]
        host.sandbox.arm(Fault(kind="created_but_422", method="POST", nth=1))
        reply = one(host, Write("c", OpKind.CREATE, entity, parent=parent, fields=fields))  # type: ignore[arg-type]
        # A contact's tasks carry no date: one that looks the same may be older, so it is left in doubt.
        assert reply.status is (Status.UNCERTAIN if entity is Entity.TASK else Status.DONE)
        assert reply.record is None or reply.key == reply.record.key


def test_a_422_is_not_explained_by_what_another_write_made() -> None:
    """A namesake that this run has just made is no proof that a refused create happened too."""
    with hosted(fields=NATIVE) as host:
        assert one(host, create(CONTACT, "first")).status is Status.DONE
        reply = one(host, create({**CONTACT, "phone": "not a phone number"}, "second"))
        assert reply.status is Status.REJECTED


def test_a_child_without_a_parent_is_looked_for_nowhere() -> None:
    """Without its contact there is no place to look."""
    with hosted(fields=NATIVE) as host:
        assert (
            list(host.connector.look(Write("x", OpKind.CREATE, Entity.NOTE, fields={"body": "x"})))
            == []
        )


def test_a_422_beside_an_older_namesake_is_rejected() -> None:
    """A contact that was there before is not mistaken for the one that was refused."""
    with hosted(fields=NATIVE) as host:
        host.sandbox.seed_contact(LOCATION, dateAdded="2020-01-01T00:00:00.000Z", **CONTACT)
        reply = one(host, create({**CONTACT, "phone": "not a phone number"}))
        assert reply.status is Status.REJECTED
        assert reply.code == "INVALID_FIELD"
        assert reply.trace_id


# Changing and deleting.


@pytest.mark.parametrize(
    "kind", ["reset_before", "reset_after", "malformed", "status", "rate_limited"]
)
def test_a_change_is_replayed(kind: str) -> None:
    """PUT, DELETE and tag changes are harmless twice, so a lost answer is asked for again."""
    with hosted(fields=NATIVE) as host:
        key = host.sandbox.seed_contact(LOCATION, **CONTACT)
        writes = [
            change(key, {"city": "Turin"}),
            Write("t", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip",)),
            Write("r", OpKind.REMOVE_TAGS, Entity.CONTACT, key, tags=("vip",)),
            Write("d", OpKind.DELETE, Entity.CONTACT, key),
        ]
        for write in writes:
            host.sandbox.faults.clear()
            host.sandbox.arm(Fault(kind=kind, method=write.kind and "*", nth=1))  # type: ignore[arg-type]
            assert one(host, write).status is Status.DONE
        assert host.sandbox.contacts(LOCATION) == []


def test_a_side_that_stays_down_leaves_changes_uncertain() -> None:
    """After all attempts the outcome of a change is unknown, and says so with the status it met."""
    with hosted(fields=NATIVE, attempts=2) as host:
        key = host.sandbox.seed_contact(LOCATION, **CONTACT)
        host.sandbox.arm(Fault(kind="status", method="PUT", status=503))
        reply = one(host, change(key, {"city": "Turin"}))
        assert (reply.status, reply.code) == (Status.UNCERTAIN, "TRANSIENT")
        assert count(host, "PUT", "/contacts/{contactId}") == 2


def test_nothing_listening_is_skipped_not_uncertain() -> None:
    """Where no connection could be made, nothing was sent: that much is known."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    (reply,) = connector(refuse, fields=NATIVE).write([create(CONTACT)])
    assert (reply.status, reply.code) == (Status.SKIPPED, "UNSENT")


def test_a_blank_clears_as_the_setting_says() -> None:
    """Null by default, "" where the setting says so; never null for what GHL does not let be null."""
    script = Script({("PUT", "/contacts/k"): [answer({"succeded": True, "contact": {"id": "k"}})]})
    for clear_with in ("null", "empty"):
        list(
            connector(script, fields=NATIVE, clear_with=clear_with).write(
                [change("k", {"city": None, "country": None})]
            )
        )
    assert script.bodies() == [{"city": None, "country": ""}, {"city": "", "country": ""}]


@pytest.mark.parametrize(("version", "name"), [("2021-07-28", "field_value"), ("v3", "fieldValue")])
def test_custom_fields_go_by_id_under_the_versions_key(version: str, name: str) -> None:
    """A custom field is written by its id; the key of its value depends on the version."""
    custom = answer(
        {
            "customFields": [
                {"id": "f1", "fieldKey": "contact.colour", "dataType": "TEXT", "name": "Colour"}
            ]
        }
    )
    script = Script(
        {
            ("GET", "/locations/loc1/customFields"): [custom],
            ("PUT", "/contacts/k"): [
                answer({"contact": {"id": "k", "customFields": [{"id": "f1", "value": "red"}]}})
            ],
        }
    )
    fields = {Entity.CONTACT: ("city", "contact.colour")}
    (reply,) = connector(script, fields=fields, version=version).write(
        [change("k", {"contact.colour": "red"})]
    )
    assert script.bodies() == [{"customFields": [{"id": "f1", name: "red"}]}]
    assert reply.record is not None
    assert reply.record.fields["contact.colour"] == "red"


def test_a_reply_without_the_contact_is_read_back() -> None:
    """Where PUT does not show the contact, a GET does."""
    script = Script(
        {
            ("PUT", "/contacts/k"): [answer({"succeded": True})],
            ("GET", "/contacts/k"): [answer({"contact": {"id": "k", "city": "Turin"}})],
        }
    )
    (reply,) = connector(script, fields=NATIVE).write([change("k", {"city": "Turin"})])
    assert reply.record is not None
    assert reply.record.fields["city"] == "Turin"


# Batches.


def test_bulk_tags_cost_two_percent_of_single_requests() -> None:
    """5,000 contacts that need the same two tags take 50 requests."""
    with hosted(fields=NATIVE) as host:
        keys = host.sandbox.seed_contacts(
            LOCATION, [{"email": f"p{n}@example.com"} for n in range(5000)]
        )
        writes = [
            Write(key, OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip", "2026")) for key in keys
        ]
        replies = list(host.connector.write(writes))
        assert {reply.status for reply in replies} == {Status.DONE}
        assert {reply.op_id for reply in replies} == set(keys)
        assert all(
            reply.record and set(reply.record.fields["tags"]) == {"vip", "2026"}
            for reply in replies
        )  # type: ignore[arg-type]
        assert host.connector.usage().requests <= 0.02 * len(keys)
        assert all(set(row["tags"]) == {"vip", "2026"} for row in host.sandbox.contacts(LOCATION))


def test_a_failure_within_a_batch_is_the_failure_of_one_record() -> None:
    """A deleted contact in a bulk request is rejected alone; the others have their tags."""
    with hosted(fields=NATIVE) as host:
        keys = host.sandbox.seed_contacts(
            LOCATION, [{"email": f"p{n}@example.com"} for n in range(10)]
        )
        host.sandbox.delete_contact(keys[3])
        writes = [Write(key, OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip",)) for key in keys]
        replies = {reply.op_id: reply for reply in host.connector.write(writes)}
        assert (replies[keys[3]].status, replies[keys[3]].code) == (Status.REJECTED, "NOT_FOUND")
        assert all(replies[key].status is Status.DONE for key in keys if key != keys[3])


def test_an_unexplained_failure_within_a_batch_is_told() -> None:
    """An internal error of one item is that record's rejection, with GHL's words."""
    with hosted(fields=NATIVE) as host:
        keys = host.sandbox.seed_contacts(
            LOCATION, [{"email": f"p{n}@example.com"} for n in range(6)]
        )
        host.sandbox.arm(Fault(kind="bulk_tag_errors", amount=3))
        writes = [Write(key, OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip",)) for key in keys]
        replies = {reply.op_id: reply for reply in host.connector.write(writes)}
        failed = [key for key in keys if replies[key].status is not Status.DONE]
        assert failed == [keys[0], keys[3]]
        assert "Internal server error" in replies[keys[0]].detail


def test_what_a_bulk_answer_leaves_out_is_sent_alone() -> None:
    """An answer that does not mention a contact says nothing of it: it is asked alone."""
    told = answer(
        {
            "succeded": True,
            "errorCount": 0,
            "responses": [{"contactId": "a", "type": "success", "oldTags": []}],
        }
    )
    script = Script(
        {
            ("POST", "/contacts/bulk/tags/update/add"): [told],
            ("POST", "/contacts/b/tags"): [answer({"tags": ["vip"]}, status=201)],
        }
    )
    writes = [Write(key, OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip",)) for key in "ab"]
    replies = list(connector(script, fields=NATIVE).write(writes))
    assert {reply.status for reply in replies} == {Status.DONE}
    assert len(script.asked) == 2


def test_a_refused_batch_is_split() -> None:
    """Where one bad contact refuses a whole batch, each write speaks for itself."""
    script = Script(
        {
            ("POST", "/contacts/bulk/tags/update/remove"): [
                answer({"statusCode": 422, "message": ["no"]}, status=422)
            ],
            ("DELETE", "/contacts/a/tags"): [answer({"tags": []})],
            ("DELETE", "/contacts/b/tags"): [
                answer({"statusCode": 400, "message": "Contact not found for id:b"}, status=400)
            ],
        }
    )
    writes = [Write(key, OpKind.REMOVE_TAGS, Entity.CONTACT, key, tags=("vip",)) for key in "ab"]
    replies = {reply.op_id: reply for reply in connector(script, fields=NATIVE).write(writes)}
    assert replies["a"].status is Status.DONE
    assert (replies["b"].status, replies["b"].code) == (Status.REJECTED, "NOT_FOUND")


def test_business_links_go_fifty_at_a_time() -> None:
    """120 contacts with the same business take three requests; unlinking is a null."""
    with hosted(fields=NATIVE) as host:
        keys = host.sandbox.seed_contacts(
            LOCATION, [{"email": f"p{n}@example.com"} for n in range(120)]
        )
        business = host.sandbox.seed_business(LOCATION, "Acme")
        replies = list(
            host.connector.write([change(key, {"businessId": business}, key) for key in keys])
        )
        assert {reply.status for reply in replies} == {Status.DONE}
        assert host.connector.usage().requests == 3
        list(host.connector.write([change(key, {"businessId": None}, key) for key in keys[:2]]))
        assert [row["businessId"] for row in host.sandbox.contacts(LOCATION)[:3]] == [
            None,
            None,
            business,
        ]


# Stopping.


def test_a_spent_day_skips_the_rest() -> None:
    """At the daily reserve nothing more is sent, and every write that was not is skipped, by name."""
    with hosted(unlimited(pit=Limit(max=1000, daily=20)), fields=NATIVE, daily_reserve=0.5) as host:
        writes = [create({"email": f"p{n}@example.com"}, str(n)) for n in range(30)]
        replies = list(host.connector.write(writes))
        done = [reply for reply in replies if reply.status is Status.DONE]
        rest = [reply for reply in replies if reply.status is not Status.DONE]
        assert len(replies) == 30
        assert len(done) == len(host.sandbox.contacts(LOCATION)) <= 10
        assert {(reply.status, reply.code) for reply in rest} == {(Status.SKIPPED, "EXHAUSTED_DAY")}


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (401, "Invalid JWT", Expired),
        (401, "The token is not authorized for this scope.", Forbidden),
        (403, "The token does not have access to this location.", WrongLocation),
        (403, None, Blocked),
    ],
)
def test_what_no_write_can_mend_is_raised(
    status: int, message: str | None, error: type[Exception]
) -> None:
    """Credentials and gateways stop the run, after the replies to what was sent before."""
    refusal = (
        httpx.Response(status, text="<html>1010</html>")
        if message is None
        else answer({"statusCode": status, "message": message}, status=status)
    )
    script = Script(
        {("POST", "/contacts/"): [answer({"contact": {"id": "k1"}}, status=201), refusal]},
    )
    replies = connector(script, fields=NATIVE, concurrency=1).write(
        [create({"email": f"{n}@e.com"}, str(n)) for n in range(5)]
    )
    told: list[Reply] = []
    with pytest.raises(error) as caught:
        told.extend(replies)
    assert [reply.status for reply in told] == [Status.DONE, *[Status.SKIPPED] * 4]
    assert {reply.code for reply in told[1:]} == {caught.value.code}
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    "fault",
    [
        answer({"message": "Invalid JWT"}, status=401),
        httpx.Response(429, headers={"x-ratelimit-daily-remaining": "0"}),
    ],
    ids=["expired", "day over"],
)
def test_a_create_that_happened_is_done_whatever_comes_after(fault: httpx.Response) -> None:
    """The business link is a second request: its failure never makes the create look as if it had not happened."""
    script = Script(
        {
            ("POST", "/contacts/"): [answer({"contact": {"id": "k1"}}, status=201)],
            ("POST", "/contacts/bulk/business"): [fault],
        }
    )
    (reply,) = connector(script, fields=NATIVE).write([create({**CONTACT, "businessId": "b1"})])
    assert (reply.status, reply.key) == (Status.DONE, "k1")
    assert reply.record is not None
    assert reply.record.fields["businessId"] is None


def test_a_change_that_happened_is_done_though_it_cannot_be_read_back() -> None:
    """Where neither PUT nor GET shows the contact, the change is done, without a record."""
    script = Script(
        {
            ("PUT", "/contacts/k"): [answer({"succeded": True})],
            ("GET", "/contacts/k"): [httpx.Response(500)],
        }
    )
    (reply,) = connector(script, fields=NATIVE).write([change("k", {"city": "Turin"})])
    assert (reply.status, reply.key, reply.record) == (Status.DONE, "k", None)


def test_no_email_address_in_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    """The duplicate search has an email address in its query: no library may log that URL."""
    with hosted(fields=NATIVE) as host, caplog.at_level(logging.DEBUG):
        host.connector.look(create(CONTACT))
        one(host, create({**CONTACT, "phone": "not a phone"}))
    assert "ada" not in caplog.text.lower()


def test_an_unknown_kind_is_rejected() -> None:
    """ADOPT concerns the ledger alone, ARCHIVE needs fields that mark it."""
    with hosted(fields=NATIVE) as host:
        key = host.sandbox.seed_contact(LOCATION, **CONTACT)
        for kind in (OpKind.ADOPT, OpKind.ARCHIVE):
            assert one(host, Write("x", kind, Entity.CONTACT, key)).code == "UNSUPPORTED"
        assert (
            one(
                host, Write("x", OpKind.ARCHIVE, Entity.CONTACT, key, fields={"city": "Archive"})
            ).status
            is Status.DONE
        )


def test_a_task_without_its_contact_is_rejected() -> None:
    """Tasks and notes are written under a contact: a write that names none is the plan's fault."""
    with hosted(fields=NATIVE) as host:
        reply = one(
            host, Write("x", OpKind.CREATE, Entity.TASK, fields={"title": "Call", "dueDate": DUE})
        )
        assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
        with pytest.raises(InvalidField):
            host.connector.read(Entity.TASK, "t1")


@pytest.mark.parametrize("version", VERSIONS)
def test_look_by_phone_finds_what_email_does_not(version: str) -> None:
    """Both identities are asked for, a plus sign and all; a name alone is the last resort."""
    with hosted(fields=NATIVE, version=version) as host:
        key = host.sandbox.seed_contact(
            LOCATION, phone="+14155550100", firstName="Ada", lastName="Lovelace"
        )
        assert [
            found.key
            for found in host.connector.look(
                create({"email": "x@example.com", "phone": "+14155550100"})
            )
        ] == [key]
        assert [
            found.key
            for found in host.connector.look(create({"firstName": "Ada", "lastName": "Lovelace"}))
        ] == [key]
        assert list(host.connector.look(create({"firstName": "Ada", "lastName": "Byron"}))) == []


def test_a_name_that_the_index_does_not_show_yet_is_looked_for_again() -> None:
    """A person of a name alone is found by GHL's search, which trails: not found at once is no proof that nobody was made."""
    waits: list[float] = []
    pages = [answer({"contacts": [], "total": 0})] * 2
    pages.append(
        answer({"contacts": [{"id": "c1", "firstName": "Ada", "lastName": "Byron"}], "total": 1})
    )
    host = connector(
        Script({("POST", "/contacts/search"): pages}),
        fields={Entity.CONTACT: ("firstName", "lastName")},
        lag_seconds=30.0,
    )
    host._finder._sleep = waits.append
    byron = create({"firstName": "Ada", "lastName": "Byron"})
    assert list(host.look(create({"firstName": "Ada", "lastName": "Lovelace"}))) == []
    assert waits == [30.0]
    assert [found.key for found in host.look(byron)] == ["c1"]
    assert list(host.look(create({"firstName": "Grace", "lastName": "Hopper"}))) == []
    assert waits == [30.0]  # once: nothing was written since


def test_a_422_that_cannot_be_looked_into_is_in_doubt() -> None:
    """GHL may have created it: a spent quota at the look-up does not make it a write that was never sent."""
    day = {"x-ratelimit-daily-remaining": "0"}
    script = Script(
        {
            ("POST", "/contacts/"): [
                answer({"statusCode": 422, "message": ["email must be an email"]}, status=422)
            ],
            ("GET", "/contacts/search/duplicate"): [
                answer({"statusCode": 429, "message": "Too Many"}, status=429, **day)
            ],
        }
    )
    host = connector(script, fields={Entity.CONTACT: ("firstName", "email")})
    (reply,) = host.write([create(CONTACT)])
    assert reply.status is Status.UNCERTAIN


def test_a_note_in_angle_brackets_is_nobody_elses() -> None:
    """Words in brackets are text, as for the codec: no note is taken for another because nothing is left of both."""
    with hosted(fields=NATIVE) as host:
        contact = host.sandbox.seed_contact(LOCATION, **CONTACT)
        host.sandbox.seed_note(contact, body="<left voicemail>")
        ours = host.sandbox.seed_note(contact, body="<p>Mail from Jo &lt;jo@example.com&gt;</p>")
        wanted = {"<no answer>": [], "Mail from Jo <jo@example.com>": [ours], "": []}
        for body, keys in wanted.items():
            write = Write("n", OpKind.CREATE, Entity.NOTE, parent=contact, fields={"body": body})
            assert [found.key for found in host.connector.look(write)] == keys


@pytest.mark.parametrize("name", ["timezone", "gender"])
def test_a_field_that_bulk_reads_do_not_carry_is_refused(name: str) -> None:
    """It would be read as cleared, and carried over as such; the message says so before anything is read."""
    with (
        hosted(fields={**NATIVE, Entity.CONTACT: ("email", name)}) as host,
        pytest.raises(InvalidField) as caught,
    ):
        host.connector.describe()
    assert (caught.value.code, name in str(caught.value)) == ("UNREAD_FIELD", True)


def test_a_full_name_is_not_read_by_business() -> None:
    """The list of a business's contacts shows it in lower case, or as the phone."""
    by_business = hosted(fields={**NATIVE, Entity.CONTACT: ("name",)}, business_ids=("b1",))
    with by_business as host, pytest.raises(InvalidField, match="firstName and lastName"):
        host.connector.describe()
    with hosted(fields={**NATIVE, Entity.CONTACT: ("name",)}) as host:
        assert host.connector.describe()


def test_a_file_is_not_written_over_by_a_text() -> None:
    """A custom field of files or signatures takes no plain value: the write is refused with the field's name."""
    field = {
        "id": "f1",
        "fieldKey": "contact.contract",
        "dataType": "FILE_UPLOAD",
        "name": "Contract",
    }
    script = Script({("GET", "/locations/loc1/customFields"): [answer({"customFields": [field]})]})
    host = connector(script, fields={Entity.CONTACT: ("firstName", "contact.contract")})
    (reply,) = host.write([change("c1", {"contact.contract": "signed"})])
    assert (reply.status, reply.code) == (Status.REJECTED, "READ_ONLY")
    assert "contact.contract" in reply.detail
    assert [request.method for request in script.asked] == ["GET"]


def test_changes_that_are_counted_and_not_shown_are_not_all_read() -> None:
    """An empty page beside a count ends no reading of what changed: the moment up to which all is known stays where it is."""
    script = Script({("POST", "/contacts/search"): [answer({"contacts": [], "total": 37})]})
    host = connector(script, fields={Entity.CONTACT: ("email",)})
    (proof,) = host.extract(Entity.CONTACT, Scope(since="2026-01-01T00:00:00Z"))
    assert isinstance(proof, Proof)
    assert (proof.complete, proof.partial) == (False, True)
    assert "37 changed contacts" in proof.why_incomplete
