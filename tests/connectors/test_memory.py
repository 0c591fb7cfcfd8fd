"""The reference connector shows the contract's behaviour, and each vice when it is switched on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.contract import ALL, ConnectorContract, Rig, create, read_line
from connectors.memory import Crash, Killed, MemoryConnector, Ticks, Vices
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Json, Page, Proof, Reply, Scope, Write

TEXT = {
    Entity.COMPANY: "name",
    Entity.CONTACT: "first_name",
    Entity.TASK: "title",
    Entity.NOTE: "body",
    Entity.OPPORTUNITY: "name",
    Entity.APPOINTMENT: "title",
}


def sample(entity: Entity, number: int) -> dict[str, Json]:
    match entity:
        case Entity.CONTACT:
            return {
                "first_name": f"Ann{number}",
                "email": f"ann{number}@example.test",
                "visits": number,
                "tags": ["a"],
            }
        case Entity.COMPANY:
            return {"name": f"Acme {number}", "city": "Cork"}
        case Entity.TASK:
            return {"title": f"call {number}", "completed": False, "due": "2026-02-03T04:05:06Z"}
        case Entity.OPPORTUNITY:
            return {"name": f"roof {number}", "pipeline": "Sales", "status": "open"}
        case Entity.APPOINTMENT:
            return {"title": f"visit {number}", "status": "new", "start": "2026-02-03T04:05:06Z"}
        case _:
            return {"body": f"note {number}"}


def rig_of(connector: MemoryConnector) -> Rig:
    return Rig(
        connector=connector,
        sample=sample,
        text=TEXT,
        seed=lambda entity, fields, parent: connector.put(entity, fields, parent=parent),
        edit=connector.edit,
        remove=connector.delete,
        bad={Entity.CONTACT: {"visits": "not a number"}},
        completed={"completed": True},
    )


class TestMemoryConnector(ConnectorContract):
    @pytest.fixture(params=list(Side), ids=str)
    def rig(self, request: pytest.FixtureRequest) -> Rig:
        return rig_of(MemoryConnector(request.param))


class TestLaggingMemoryConnector(ConnectorContract):
    @pytest.fixture
    def rig(self) -> Rig:
        clock = Ticks()
        connector = MemoryConnector(
            Side.GHL, clock=clock, vices=Vices(lag_seconds=60, lowercase_tags=True, e164=True)
        )
        return replace(rig_of(connector), settle=lambda: clock.advance(60))


def shown(side: MemoryConnector, entity: Entity, scope: Scope = ALL) -> dict[str, Json]:
    """The text field by key, as an extraction shows it."""
    pages = [page for page in side.extract(entity, scope) if isinstance(page, Page)]
    records = [
        read_line(side.shape(entity), line) for page in pages for line in page.lines.splitlines()
    ]
    return {record.key: record.fields[TEXT[entity]] for record in records}


def proof(side: MemoryConnector, entity: Entity) -> Proof:
    *_, last = side.extract(entity)
    assert isinstance(last, Proof)
    return last


def test_keys_are_deterministic() -> None:
    """The same puts give the same keys."""
    side = MemoryConnector(Side.GHL)
    assert [side.put(Entity.NOTE, {"body": "x"}), side.put(Entity.CONTACT, {})] == [
        "ghl-note-1",
        "ghl-contact-1",
    ]


def test_lag_shows_the_past_and_read_the_present() -> None:
    """Within the lag a bulk read misses the new, shows the old version of the changed, and still shows the deleted."""
    clock = Ticks()
    side = MemoryConnector(Side.GHL, clock=clock, vices=Vices(lag_seconds=60))
    changed, deleted = (
        side.put(Entity.CONTACT, {"first_name": name}) for name in ("old", "doomed")
    )
    clock.advance(100)
    side.edit(Entity.CONTACT, changed, {"first_name": "new"})
    side.delete(Entity.CONTACT, deleted)
    side.put(Entity.CONTACT, {"first_name": "fresh"})
    assert shown(side, Entity.CONTACT) == {changed: "old", deleted: "doomed"}
    record = side.read(Entity.CONTACT, changed)
    assert record is not None
    assert record.fields["first_name"] == "new"
    assert side.read(Entity.CONTACT, deleted) is None
    clock.advance(60)
    assert sorted(map(str, shown(side, Entity.CONTACT).values())) == ["fresh", "new"]


def test_lag_of_some_records_alone() -> None:
    """The `lags` predicate says which records the index is late with."""
    side = MemoryConnector(
        Side.GHL, vices=Vices(lag_seconds=60, lags=lambda _entity, key: key == "late")
    )
    for key in ("late", "early"):
        side.put(Entity.CONTACT, {"first_name": key}, key=key)
    assert shown(side, Entity.CONTACT) == {"early": "early"}


def test_tags_and_phones_are_stored_in_another_form() -> None:
    """A side that lower-cases tags and rewrites phones answers with what it made of them."""
    side = MemoryConnector(Side.GHL, vices=Vices(lowercase_tags=True, e164=True))
    fields: dict[str, Json] = {"phone": "(202) 555-0123", "tags": ["VIP", "vip ", "Lead"]}
    [reply] = side.write([create(Entity.CONTACT, fields)])
    assert reply.record is not None
    assert reply.record.fields == {"phone": "+12025550123", "tags": ["vip", "lead"]}
    [reply] = side.write(
        [Write("op", OpKind.REMOVE_TAGS, Entity.CONTACT, reply.key, tags=("VIP",))]
    )
    assert reply.record is not None
    assert reply.record.fields["tags"] == ["lead"]


def test_a_dropped_field_is_accepted_and_not_stored() -> None:
    """A silently dropped field is not in the answer, and the write is done."""
    side = MemoryConnector(Side.GHL, vices=Vices(drops=frozenset({"company"})))
    [reply] = side.write([create(Entity.CONTACT, {"first_name": "Ann", "company": "Acme"})])
    assert reply.status is Status.DONE
    assert reply.record is not None
    assert "company" not in reply.record.fields


def test_rejected_writes_change_nothing() -> None:
    """A predicate's code refuses a write, and the record stays as it was."""
    side = MemoryConnector(
        Side.APP, vices=Vices(rejects=lambda write: "NO" if write.key == "k" else None)
    )
    side.put(Entity.CONTACT, {"first_name": "Ann"}, key="k")
    [reply] = side.write(
        [Write("op", OpKind.UPDATE, Entity.CONTACT, "k", fields={"first_name": "Bob"})]
    )
    assert (reply.status, reply.code) == (Status.REJECTED, "NO")
    assert shown(side, Entity.CONTACT) == {"k": "Ann"}


def test_a_duplicate_is_refused_with_the_key_that_exists() -> None:
    """A second contact of the same email or phone, in whatever form, is a DUPLICATE that names the first."""
    side = MemoryConnector(Side.GHL, vices=Vices(unique=("email", "phone"), e164=True))
    key = side.put(Entity.CONTACT, {"email": "Ann@Example.test", "phone": "+12025550123"})
    for fields in ({"email": "ann@example.test"}, {"phone": "202-555-0123"}):
        [reply] = side.write([create(Entity.CONTACT, fields)])
        assert (reply.status, reply.code, reply.key) == (Status.REJECTED, "DUPLICATE", key)
    assert len(side.rows(Entity.CONTACT)) == 1


@pytest.mark.parametrize(("when", "left"), [("before", 1), ("after", 2)])
def test_a_crash_comes_at_the_write_it_names(when: str, left: int) -> None:
    """A crash before the second write leaves one record, a crash after it leaves two, and the rest was never sent."""
    side = MemoryConnector(Side.APP, vices=Vices(crash=Crash(2, when)))  # type: ignore[arg-type]
    writes = [create(Entity.NOTE, {"body": f"{n}"}, op_id=str(n)) for n in range(4)]
    replies: list[Reply] = []
    with pytest.raises(Killed):
        replies.extend(side.write(writes))
    assert [reply.op_id for reply in replies] == ["0"]
    assert len(side.rows(Entity.NOTE)) == left


@pytest.mark.parametrize(("doubt", "left"), [("lost", 0), ("applied", 1)])
def test_an_uncertain_answer_hides_whether_it_happened(doubt: str, left: int) -> None:
    """The answer is the same, look tells the difference."""
    side = MemoryConnector(Side.GHL, vices=Vices(uncertain=lambda _write: doubt))  # type: ignore[arg-type, return-value]
    [reply] = side.write([create(Entity.CONTACT, {"email": "ann@example.test"})])
    assert reply.status is Status.UNCERTAIN
    assert len(side.look(create(Entity.CONTACT, {"email": "ann@example.test"}))) == left


def test_an_incomplete_extraction_says_so() -> None:
    """Half of the records come, and the proof says why not all."""
    side = MemoryConnector(Side.GHL, vices=Vices(incomplete={Entity.CONTACT: "the cursor expired"}))
    for _ in range(10):
        side.put(Entity.CONTACT, {"first_name": "Ann"})
    assert len(shown(side, Entity.CONTACT)) == 5
    last = proof(side, Entity.CONTACT)
    assert (last.complete, last.why_incomplete, last.reported_total) == (
        False,
        "the cursor expired",
        10,
    )


def test_rationed_notes_go_round() -> None:
    """Each extraction of all notes covers the next few contacts, wholly, and says so."""
    side = MemoryConnector(Side.GHL, vices=Vices(notes_per_run=2))
    contacts = [side.put(Entity.CONTACT, {}) for _ in range(3)]
    notes = [side.put(Entity.NOTE, {"body": key}, parent=key) for key in contacts]
    rounds = [list(side.extract(Entity.NOTE)) for _ in range(2)]
    covered = [
        [key for page in pages if isinstance(page, Page) for key in page.covers] for pages in rounds
    ]
    assert covered == [contacts[:2], [contacts[2], contacts[0]]]
    assert shown(side, Entity.NOTE) == dict(zip(notes[1:], contacts[1:], strict=True))
    assert proof(side, Entity.NOTE).partial


def test_versions_and_times_can_be_missing() -> None:
    """A side may carry no version, and no modification time for some entities."""
    side = MemoryConnector(
        Side.GHL, vices=Vices(unversioned=True, undated=frozenset({Entity.NOTE}))
    )
    key = side.put(Entity.NOTE, {"body": "x"})
    record = side.rows(Entity.NOTE)[key]
    assert (record.version, record.modified_at) == (None, None)
    assert Entity.NOTE not in side.describe().modified


def test_deleting_a_contact_takes_its_tasks_and_notes() -> None:
    """Children do not outlive their contact."""
    side = MemoryConnector(Side.APP)
    contact, other = side.put(Entity.CONTACT, {}), side.put(Entity.CONTACT, {})
    side.put(Entity.TASK, {"title": "x"}, parent=contact)
    kept = side.put(Entity.NOTE, {"body": "x"}, parent=other)
    side.delete(Entity.CONTACT, contact)
    assert side.rows(Entity.TASK) == {}
    assert list(side.rows(Entity.NOTE)) == [kept]
