"""What every connector must show when it is written to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.contract.rig import AWKWARD, Can, Rig, create, guarded, tags_of, update
from reconcile.entities import RECORDS
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Record, Reply, Write

ENTITY = pytest.mark.parametrize("entity", RECORDS, ids=str)


class Writing:
    """The half of the contract that writes through the connector."""

    # Writing.

    def test_nothing_to_write_is_nothing_written(self, rig: Rig) -> None:
        """No writes, no replies."""
        assert rig.write() == {}

    @ENTITY
    def test_a_created_record_reads_back(self, rig: Rig, entity: Entity) -> None:
        """A create is answered with the key and the record.

        A read and the next extraction show both.
        """
        rig.needs(Can.CREATE, entity=entity)
        parent = None if not entity.parent else rig.add(Entity.CONTACT, 9)
        name, fields = rig.text[entity], rig.sample(entity, 1)
        reply = rig.one(create(entity, fields, parent))
        assert (reply.status, reply.code) == (Status.DONE, "")
        assert reply.record is not None
        assert reply.record.key == reply.key
        assert reply.record.fields[name] == fields[name]
        assert rig.read(entity, reply.record.key, parent).fields[name] == fields[name]
        assert [record.parent for record in rig.records(entity) if record.key == reply.key] == [
            parent
        ]

    def test_each_create_has_its_own_key(self, rig: Rig) -> None:
        """Several creates in one call give as many records."""
        rig.needs(Can.CREATE)
        writes = [
            create(Entity.CONTACT, rig.sample(Entity.CONTACT, n), op_id=f"op{n}") for n in range(5)
        ]
        replies = rig.write(*writes)
        assert {reply.status for reply in replies.values()} == {Status.DONE}
        assert {record.key for record in rig.records(Entity.CONTACT)} == {
            reply.key for reply in replies.values()
        }
        assert len({reply.key for reply in replies.values()}) == 5

    @ENTITY
    def test_an_update_touches_only_what_it_names(self, rig: Rig, entity: Entity) -> None:
        """The named field changes, every other keeps its value, and the reply shows it."""
        rig.needs(Can.UPDATE, entity=entity)
        before, name = rig.read(entity, rig.add(entity, 1)), rig.text[entity]
        reply = rig.one(update(entity, before, {name: "changed"}))
        assert (reply.status, reply.code) == (Status.DONE, "")
        after = rig.read(entity, before.key, before.parent)
        steady = set(before.fields) - {name} - rig.volatile
        assert after.fields[name] == "changed"
        assert {n: after.fields.get(n) for n in steady} == {n: before.fields.get(n) for n in steady}
        assert reply.record is not None
        assert reply.record.fields[name] == "changed"

    def test_awkward_text_comes_back_as_written(self, rig: Rig) -> None:
        """Quotes, backslashes, line breaks and other scripts survive.

        They come through a write, a read and an extraction.
        """
        rig.needs(Can.UPDATE, Can.AWKWARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert rig.one(update(Entity.CONTACT, before, {name: AWKWARD})).status is Status.DONE
        assert rig.read(Entity.CONTACT, before.key).fields[name] == AWKWARD
        assert [record.fields[name] for record in rig.records(Entity.CONTACT)] == [AWKWARD]

    def test_a_blank_clears(self, rig: Rig) -> None:
        """Null written to a field leaves it blank."""
        rig.needs(Can.UPDATE, Can.CLEAR)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert rig.one(update(Entity.CONTACT, before, {name: None})).status is Status.DONE
        assert rig.read(Entity.CONTACT, before.key).fields.get(name) in (None, "")

    def test_completing_a_task_marks_it_done(self, rig: Rig) -> None:
        """COMPLETE sets what says that a task is done, and nothing else."""
        rig.needs(Can.UPDATE, entity=Entity.TASK)
        before = rig.read(Entity.TASK, rig.add(Entity.TASK))
        done = Write(
            "op", OpKind.COMPLETE, Entity.TASK, before.key, before.parent, fields=rig.completed
        )
        assert rig.one(done).status is Status.DONE
        after = rig.read(Entity.TASK, before.key, before.parent)
        assert {name: after.fields[name] for name in rig.completed} == dict(rig.completed)
        assert after.fields[rig.text[Entity.TASK]] == before.fields[rig.text[Entity.TASK]]

    def test_writing_to_a_missing_record_is_answered(self, rig: Rig) -> None:
        """An update of a record that is gone is NOT_FOUND.

        It is no exception and makes no new record.
        """
        rig.needs(Can.UPDATE)
        gone = Record(rig.absent, {})
        reply = rig.one(update(Entity.CONTACT, gone, {rig.text[Entity.CONTACT]: "x"}))
        assert reply.status in (Status.STALE, Status.REJECTED)
        assert reply.code == "NOT_FOUND"
        assert rig.records(Entity.CONTACT) == []

    def test_a_bad_value_is_rejected_alone(self, rig: Rig) -> None:
        """One write of a batch is rejected, with a code and a reason that holds no value.

        Its neighbours are done.
        """
        rig.needs(Can.CREATE)
        if Entity.CONTACT not in rig.bad:
            pytest.skip("this side takes any value")
        bad = {**rig.sample(Entity.CONTACT, 2), **rig.bad[Entity.CONTACT]}
        samples = [rig.sample(Entity.CONTACT, 1), bad, rig.sample(Entity.CONTACT, 3)]
        replies = rig.write(
            *(create(Entity.CONTACT, fields, op_id=str(n)) for n, fields in enumerate(samples))
        )
        assert [replies[op_id].status for op_id in "012"] == [
            Status.DONE,
            Status.REJECTED,
            Status.DONE,
        ]
        assert replies["1"].code
        assert replies["1"].detail
        assert not any(
            str(value) in replies["1"].detail for value in bad.values() if len(str(value)) > 5
        )
        assert {record.key for record in rig.records(Entity.CONTACT)} == {
            replies["0"].key,
            replies["2"].key,
        }

    # Guards.

    def test_a_write_against_something_else_than_expected_is_stale(self, rig: Rig) -> None:
        """A field that a user changed since it was seen is not overwritten."""
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        rig.edit(Entity.CONTACT, before.key, {name: "a user was here"})
        late = update(Entity.CONTACT, before, {name: "ours"})
        reply = rig.one(guarded(late, {name: before.fields[name]}))
        assert reply.status is Status.STALE
        assert rig.read(Entity.CONTACT, before.key).fields[name] == "a user was here"

    def test_a_write_against_what_was_expected_is_done(self, rig: Rig) -> None:
        """The guard lets a write through when the field is as it was.

        Another field may have moved.
        """
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        reply = rig.one(
            guarded(update(Entity.CONTACT, before, {name: "ours"}), {name: before.fields[name]})
        )
        assert reply.status is Status.DONE

    def test_a_guard_that_expects_blank_matches_blank(self, rig: Rig) -> None:
        """Null as the expected value matches an empty field."""
        rig.needs(Can.UPDATE, Can.GUARD, Can.CLEAR)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert rig.one(update(Entity.CONTACT, before, {name: None})).status is Status.DONE
        assert (
            rig.one(guarded(update(Entity.CONTACT, before, {name: "ours"}), {name: None})).status
            is Status.DONE
        )
        assert (
            rig.one(guarded(update(Entity.CONTACT, before, {name: "more"}), {name: None})).status
            is Status.STALE
        )

    def test_what_is_there_already_is_done(self, rig: Rig) -> None:
        """A write whose values are there already is done, whatever was expected.

        It may have been ours.
        """
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        rig.edit(Entity.CONTACT, before.key, {name: "the same"})
        again = guarded(
            update(Entity.CONTACT, before, {name: "the same"}), {name: before.fields[name]}
        )
        assert rig.one(again).status is Status.DONE

    def test_a_version_that_moved_is_stale(self, rig: Rig) -> None:
        """A write that names the version it saw is refused once the record has another."""
        rig.needs(Can.UPDATE, Can.VERSIONS)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert before.version
        rig.edit(Entity.CONTACT, before.key, {name: "a user was here"})
        late = Write(
            "op",
            OpKind.UPDATE,
            Entity.CONTACT,
            before.key,
            fields={name: "ours"},
            version=before.version,
        )
        assert rig.one(late).status is Status.STALE
        current = rig.read(Entity.CONTACT, before.key).version
        good = Write(
            "op", OpKind.UPDATE, Entity.CONTACT, before.key, fields={name: "ours"}, version=current
        )
        reply = rig.one(good)
        assert reply.status is Status.DONE
        assert reply.record is not None
        assert reply.record.version == rig.read(Entity.CONTACT, before.key).version

    # Looks right before a write.

    @ENTITY
    def test_a_write_that_asks_for_a_look_is_shown_the_record_as_it_is_now(
        self, rig: Rig, entity: Entity
    ) -> None:
        """What a user did since the record was read is seen right before the write.

        What comes of it is sent.
        """
        rig.needs(Can.UPDATE, entity=entity)
        parent = None if not entity.parent else rig.add(Entity.CONTACT, 9)
        before, name = rig.read(entity, rig.add(entity, 1, parent), parent), rig.text[entity]
        rig.edit(entity, before.key, {name: "a user was here"})
        seen: list[Record | None] = []

        def check(record: Record | None) -> Write | Reply:
            seen.append(record)
            return replace(write, version=record.version if record else None, check=None)

        write = update(entity, before, {name: "ours"})
        assert rig.one(replace(write, check=check)).status is Status.DONE
        assert seen[0] is not None
        assert (seen[0].key, seen[0].fields[name]) == (before.key, "a user was here")
        assert rig.read(entity, before.key, before.parent).fields[name] == "ours"

    @ENTITY
    @pytest.mark.parametrize("kind", [OpKind.UPDATE, OpKind.DELETE])
    def test_a_look_may_stop_a_write(self, rig: Rig, entity: Entity, kind: OpKind) -> None:
        """Where the look answers for the write, nothing is sent.

        The record stays as the user left it, its neighbour is done.
        """
        rig.needs(Can.UPDATE if kind is OpKind.UPDATE else Can.DELETE, entity=entity)
        parent = None if not entity.parent else rig.add(Entity.CONTACT, 9)
        keys = [rig.add(entity, number, parent) for number in (1, 2)]
        (first, second), name = [rig.read(entity, key, parent) for key in keys], rig.text[entity]
        fields = {name: "ours"} if kind is OpKind.UPDATE else {}
        stopped = Reply("stop", Status.STALE, code="CHANGED", detail="no")
        writes = [
            Write(
                "stop",
                kind,
                entity,
                first.key,
                first.parent,
                fields=fields,
                check=lambda _: stopped,
            ),
            Write("go", kind, entity, second.key, second.parent, fields=fields),
        ]
        replies = rig.write(*writes)
        assert replies["stop"] == stopped
        assert replies["go"].status is Status.DONE
        assert rig.read(entity, first.key, first.parent).fields[name] == first.fields[name]

    def test_a_look_at_what_is_gone_shows_nothing(self, rig: Rig) -> None:
        """A record that is not there any more is None to the look, which answers for the write."""
        rig.needs(Can.UPDATE)
        seen: list[Record | None] = []

        def check(record: Record | None) -> Reply:
            seen.append(record)
            return Reply("op", Status.STALE, code="GONE", detail="the record is gone")

        write = Write(
            "op",
            OpKind.UPDATE,
            Entity.CONTACT,
            rig.absent,
            fields={rig.text[Entity.CONTACT]: "x"},
            check=check,
        )
        assert rig.one(write).code == "GONE"
        assert seen == [None]

    # Deletes, tags, doubt.

    @ENTITY
    def test_delete_is_idempotent(self, rig: Rig, entity: Entity) -> None:
        """A delete removes the record, and a second one is done too."""
        rig.needs(Can.DELETE, entity=entity)
        before = rig.read(entity, rig.add(entity))
        gone = Write("op", OpKind.DELETE, entity, before.key, before.parent)
        replies = [rig.one(gone), rig.one(gone)]
        assert [reply.status for reply in replies] == [Status.DONE, Status.DONE]
        after = rig.connector.read(entity, before.key, before.parent)
        assert after is None or after.deleted

    def test_archive_hides_or_is_refused(self, rig: Rig) -> None:
        """ARCHIVE takes the record out of sight.

        Where the side has no such thing, it is rejected with a code.
        """
        rig.needs(Can.UPDATE)
        before = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT))
        reply = rig.one(Write("op", OpKind.ARCHIVE, Entity.CONTACT, before.key))
        after = rig.connector.read(Entity.CONTACT, before.key)
        if Can.ARCHIVE in rig.can:
            assert reply.status is Status.DONE
            assert after is None or after.deleted
        else:
            assert reply.status is Status.REJECTED
            assert reply.code
            assert after is not None

    def test_tags_are_added_and_removed_one_by_one(self, rig: Rig) -> None:
        """Adding and removing tags leaves the others alone, and twice is once.

        The reply tells the whole set.
        """
        rig.needs(Can.TAGS)
        key = rig.add(Entity.CONTACT)
        base = tags_of(rig.read(Entity.CONTACT, key))
        add = Write("op", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip", "new lead"))
        remove = Write("op", OpKind.REMOVE_TAGS, Entity.CONTACT, key, tags=("vip", "never had"))
        for write, expected in (
            (add, {"vip", "new lead"}),
            (add, {"vip", "new lead"}),
            (remove, {"new lead"}),
        ):
            reply = rig.one(write)
            assert (reply.status, reply.code) == (Status.DONE, "")
            assert tags_of(rig.read(Entity.CONTACT, key)) == base | expected
            assert reply.record is None or tags_of(reply.record) == base | expected
        assert rig.one(remove).status is Status.DONE
        shown = {record.key: record for record in rig.records(Entity.CONTACT)}[key]
        assert tags_of(shown) == base | {"new lead"}

    def test_a_tag_in_another_case_is_the_same_tag(self, rig: Rig) -> None:
        """GHL knows tags in lower case alone.

        So a tag that is there in another case is neither added nor left behind.
        """
        rig.needs(Can.TAGS)
        key = rig.add(Entity.CONTACT)
        base = tags_of(rig.read(Entity.CONTACT, key))
        for kind, tag, more in (
            (OpKind.ADD_TAGS, "Gold Member", 1),
            (OpKind.ADD_TAGS, "gold member", 1),
            (OpKind.REMOVE_TAGS, "GOLD member", 0),
        ):
            assert (
                rig.one(Write("op", kind, Entity.CONTACT, key, tags=(tag,))).status is Status.DONE
            )
            assert len(tags_of(rig.read(Entity.CONTACT, key))) == len(base) + more

    @ENTITY
    def test_look_finds_what_a_create_made(self, rig: Rig, entity: Entity) -> None:
        """After a create in doubt, look finds the record, and makes none."""
        rig.needs(Can.CREATE, entity=entity)
        parent = None if not entity.parent else rig.add(Entity.CONTACT, 9)
        doubtful = create(entity, rig.sample(entity, 1), parent)
        assert list(rig.connector.look(doubtful)) == []
        key = rig.one(doubtful).key
        rig.settle()
        assert key in [record.key for record in rig.connector.look(doubtful)]
        assert [record.key for record in rig.records(entity)].count(key or "") == 1

    def test_usage_never_goes_back_and_close_is_idempotent(self, rig: Rig) -> None:
        """Requests are counted up, and closing twice is closing once."""
        before = rig.connector.usage().requests
        rig.records(Entity.CONTACT)
        assert rig.connector.usage().requests >= before
        rig.connector.close()
        rig.connector.close()
