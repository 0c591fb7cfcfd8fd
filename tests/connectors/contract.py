"""The behaviour every connector must show, as a test class that the author of any connector can run on theirs.

    class TestMine(ConnectorContract):
        @pytest.fixture
        def rig(self, tmp_path: Path) -> Rig:
            return Rig(connector=..., sample=..., text=..., seed=..., edit=..., remove=...)

What the side cannot do at all is left out of `Rig.can`; nothing else is optional.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path as FilePath

import duckdb
import pytest

from reconcile.model import RECORDS, Entity, OpKind, Status
from reconcile.ports import Connector, Item, Json, Page, Path, Proof, Record, Reply, Scope, Shape, Write

AWKWARD = 'Zoë "O\'Neil" \\ 寿司 🦊; a,b\tc\nline two'
"""Text that quoting, encoding and line splitting get wrong first."""


ALL = Scope()


class Can(StrEnum):
    """What not every side can do."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ARCHIVE = "archive"
    TAGS = "tags"
    CLEAR = "clear"
    GUARD = "guard"
    """It compares `expected` with what it holds, in the write itself."""
    VERSIONS = "versions"
    """Its contacts carry a version, which a write may name."""
    KEYS = "keys"
    """It can extract given contacts."""
    PARENTS = "parents"
    """It can extract the tasks and notes of given contacts."""
    SINCE = "since"
    """It can extract the contacts that changed since an instant."""
    AWKWARD = "awkward"
    """It keeps any text as it was written."""


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Rig:
    """A connector, and hands on the side behind its back.

    sample(entity, n): the native fields of the n-th distinct record, as CREATE and `seed` take them.
    text: per entity, a plain text field of it that can be written. seed(entity, fields, parent): a user adds a record;
    its key. edit(entity, key, fields), remove(entity, key): a user changes, deletes it. bad: per entity, fields that the
    side must reject. volatile: fields that the side changes by itself at every write. settle: let a bulk read catch up
    with writes, without sleeping. completed: the fields that say a task is done. absent: a key that no record has.
    """

    connector: Connector
    sample: Callable[[Entity, int], dict[str, Json]]
    text: Mapping[Entity, str]
    seed: Callable[[Entity, Mapping[str, Json], str | None], str]
    edit: Callable[[Entity, str, Mapping[str, Json]], None]
    remove: Callable[[Entity, str], None]
    entities: tuple[Entity, ...] = RECORDS
    can: frozenset[Can] = frozenset(Can)
    bad: Mapping[Entity, Mapping[str, Json]] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    settle: Callable[[], None] = _nothing
    completed: Mapping[str, Json] = field(default_factory=dict)
    absent: str = "no-such-key"

    def needs(self, *abilities: Can, entity: Entity = Entity.CONTACT) -> None:
        """Skip the test where the side lacks an ability or an entity."""
        lacking = [ability for ability in abilities if ability not in self.can]
        if lacking or entity not in self.entities:
            pytest.skip(f"this side has no {', '.join(lacking) or entity}")

    def add(self, entity: Entity, number: int = 1, parent: str | None = None) -> str:
        """Seed the n-th sample; a task or note gets a contact of its own unless `parent` says which."""
        if entity is not Entity.CONTACT and parent is None:
            parent = self.add(Entity.CONTACT, 1000 + number)
        key = self.seed(entity, self.sample(entity, number), parent)
        self.settle()
        return key

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record:
        """The record as the connector reads it now."""
        record = self.connector.read(entity, key, parent or self.parent(entity, key))
        assert record is not None, f"{entity} {key} cannot be read"
        return record

    def parent(self, entity: Entity, key: str) -> str | None:
        """The contact of a task or note, as a bulk read shows it."""
        if entity is Entity.CONTACT:
            return None
        return next((record.parent for record in self.records(entity) if record.key == key), None)

    def records(self, entity: Entity, scope: Scope = ALL) -> list[Record]:
        """All that an extraction shows, read through the shape."""
        shape, (pages, _) = self.connector.shape(entity), self.extraction(entity, scope)
        return [read_line(shape, line) for page in pages for line in page.lines.splitlines()]

    def extraction(self, entity: Entity, scope: Scope = ALL) -> tuple[list[Page], Proof]:
        """The pages and the one proof of an extraction."""
        self.settle()
        *pages, proof = self.connector.extract(entity, scope)
        assert isinstance(proof, Proof)
        assert all(isinstance(page, Page) for page in pages), "one proof, and it comes last"
        return [page for page in pages if isinstance(page, Page)], proof

    def write(self, *writes: Write) -> dict[str, Reply]:
        """Carry out writes; the replies by op_id."""
        replies = list(self.connector.write(writes))
        assert sorted(reply.op_id for reply in replies) == sorted(write.op_id for write in writes), "one reply a write"
        return {reply.op_id: reply for reply in replies}

    def one(self, write: Write) -> Reply:
        """Carry out one write."""
        return self.write(write)[write.op_id]


# The reference readings of a Shape.


def look_up(value: object, path: Path) -> object:
    """What lies at a path of a JSON object, None where there is nothing."""
    for step in path:
        if isinstance(step, Item):
            items = value if isinstance(value, list) else []
            value = next(
                (item for item in items if isinstance(item, dict) and item.get(step.where) == step.equals), None
            )
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def first(value: object, paths: Sequence[Path]) -> object:
    """What lies at the first path that holds something other than null."""
    return next((found for path in paths if (found := look_up(value, path)) is not None), None)


def read_line(shape: Shape, line: bytes | str) -> Record:
    """One JSON line as a Record, read as the shape says."""
    value = json.loads(line)

    def text(paths: Sequence[Path]) -> str | None:
        found = first(value, paths)
        return found if found is None or isinstance(found, str) else json.dumps(found)

    key = text(shape.key)
    assert key, "a line without a key"
    fields = {name: first(value, paths) for name, paths in shape.fields.items()}
    gone = bool(first(value, shape.deleted))
    return Record(key, fields, text(shape.parent), text(shape.version), text(shape.modified_at), gone)  # type: ignore[arg-type]


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def duckdb_path(path: Path) -> str:
    """A path as a DuckDB expression over a column `json`."""
    expression = "json"
    for step in path:
        if isinstance(step, Item):
            wanted = f"item ->> {_quoted(_pointer(step.where))} = {_quoted(step.equals)}"
            items = f"CAST(CASE json_type({expression}) WHEN 'ARRAY' THEN {expression} END AS JSON[])"
            expression = f"list_filter({items}, lambda item: {wanted})[1]"
        else:
            expression = f"({expression} -> {_quoted(_pointer(step))})"
    return f"(CASE json_type({expression}) WHEN 'NULL' THEN NULL ELSE {expression} END)"


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def read_with_duckdb(shape: Shape, pages: Sequence[Page], folder: FilePath) -> list[dict[str, object]]:
    """Every line's fields, and its key and parent as "<key>" and "<parent>", as DuckDB reads them through the shape."""
    places = {**shape.fields, "<key>": shape.key, "<parent>": shape.parent}
    chosen = [f"coalesce({', '.join(map(duckdb_path, paths))}, NULL)" for paths in places.values() if paths]
    names = [name for name, paths in places.items() if paths]
    file = folder / "pages.jsonl"
    file.write_bytes(b"".join(page.lines for page in pages))
    if not file.stat().st_size:
        return []
    statement = f"SELECT {', '.join(f'CAST({place} AS VARCHAR)' for place in chosen)} FROM read_ndjson_objects(?)"
    with duckdb.connect() as connection:
        rows = connection.execute(statement, [str(file)]).fetchall()
    return [
        {name: None if cell is None else json.loads(cell) for name, cell in zip(names, row, strict=True)}
        for row in rows
    ]


def create(entity: Entity, fields: Mapping[str, Json], parent: str | None = None, op_id: str = "op") -> Write:
    """A Write that creates a record."""
    return Write(op_id, OpKind.CREATE, entity, parent=parent, fields=fields)


def update(entity: Entity, record: Record, fields: Mapping[str, Json], op_id: str = "op") -> Write:
    """A Write that changes fields of a record, with nothing expected."""
    return Write(op_id, OpKind.UPDATE, entity, key=record.key, parent=record.parent, fields=fields)


def _tags(record: Record | None) -> set[str]:
    held = record.fields.get("tags") if record is not None else None
    return {str(tag) for tag in held} if isinstance(held, list) else set()


ENTITY = pytest.mark.parametrize("entity", RECORDS, ids=str)
CHILD = pytest.mark.parametrize("entity", [Entity.TASK, Entity.NOTE], ids=str)


class ConnectorContract:
    """Subclass it as Test..., give it a `rig` fixture, and every test below runs on that connector."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        """The connector under test; a new, empty side for each test."""
        raise NotImplementedError

    # What it is.

    def test_it_fills_the_interface(self, rig: Rig) -> None:
        """A connector has every method of reconcile.ports.Connector."""
        assert isinstance(rig.connector, Connector)

    def test_describe_is_repeatable(self, rig: Rig) -> None:
        """Two descriptions of an unchanged side are equal, and its identity says which side it is."""
        described = rig.connector.describe()
        assert described == rig.connector.describe()
        assert described.identity

    @ENTITY
    def test_described_fields_have_a_place_in_the_shape(self, rig: Rig, entity: Entity) -> None:
        """Every field that is described can be found in the lines of an extraction."""
        rig.needs(entity=entity)
        described = rig.connector.describe().fields[entity]
        assert rig.text[entity] in described
        assert set(described) == set(rig.connector.shape(entity).fields)

    # Reading.

    @ENTITY
    def test_an_empty_side_gives_a_complete_proof(self, rig: Rig, entity: Entity) -> None:
        """No records and a complete proof are told apart from a failure."""
        rig.needs(entity=entity)
        pages, proof = rig.extraction(entity)
        assert sum(page.rows for page in pages) == 0
        assert proof.complete
        assert not proof.partial
        assert proof.reported_total in (0, None)

    @ENTITY
    def test_an_extraction_shows_every_record_once(self, rig: Rig, entity: Entity) -> None:
        """Every key comes exactly once, the pages count their lines, and the proof says it is all."""
        rig.needs(entity=entity)
        parent = None if entity is Entity.CONTACT else rig.add(Entity.CONTACT, 500)
        keys = [rig.add(entity, number, parent) for number in range(7)]
        pages, proof = rig.extraction(entity)
        lines = [line for page in pages for line in page.lines.splitlines()]
        assert sorted(read_line(rig.connector.shape(entity), line).key for line in lines) == sorted(keys)
        assert [page.rows for page in pages] == [page.lines.count(b"\n") for page in pages]
        assert proof.complete
        assert proof.reported_total in (7, None)

    @ENTITY
    def test_an_extraction_carries_the_values(self, rig: Rig, entity: Entity) -> None:
        """What a user entered is what an extraction and a read show."""
        rig.needs(entity=entity)
        key, name = rig.add(entity, 3), rig.text[entity]
        shown = {record.key: record for record in rig.records(entity)}[key]
        assert shown.fields[name] == rig.sample(entity, 3)[name]
        assert rig.read(entity, key, shown.parent).fields[name] == rig.sample(entity, 3)[name]

    @ENTITY
    def test_python_and_duckdb_read_the_shape_alike(self, rig: Rig, entity: Entity, tmp_path: FilePath) -> None:
        """The paths of the shape mean the same to DuckDB as to Python, for every field of every line."""
        rig.needs(entity=entity)
        for number in range(3):
            rig.add(entity, number)
        shape, (pages, _) = rig.connector.shape(entity), rig.extraction(entity)
        rows = [json.loads(line) for page in pages for line in page.lines.splitlines()]
        places = {**shape.fields, "<key>": shape.key, "<parent>": shape.parent}
        expected = [{name: first(row, paths) for name, paths in places.items() if paths} for row in rows]
        assert read_with_duckdb(shape, pages, tmp_path) == expected

    @CHILD
    def test_tasks_and_notes_name_their_contact(self, rig: Rig, entity: Entity) -> None:
        """A task or note carries its contact's key as its parent, in an extraction and in a read."""
        rig.needs(entity=entity)
        contact = rig.add(Entity.CONTACT)
        key = rig.add(entity, 1, contact)
        assert [record.parent for record in rig.records(entity)] == [contact]
        assert rig.read(entity, key, contact).parent == contact

    @ENTITY
    def test_a_missing_record_reads_as_none(self, rig: Rig, entity: Entity) -> None:
        """A key that no record has, of whatever form, is None and no error."""
        rig.needs(entity=entity)
        contact = rig.add(Entity.CONTACT)
        assert rig.connector.read(entity, rig.absent, None if entity is Entity.CONTACT else contact) is None

    def test_a_deleted_record_is_absent(self, rig: Rig) -> None:
        """What a user deleted is in neither a read nor the next extraction, unless marked as deleted."""
        key, kept = rig.add(Entity.CONTACT, 1), rig.add(Entity.CONTACT, 2)
        rig.remove(Entity.CONTACT, key)
        rig.settle()
        read = rig.connector.read(Entity.CONTACT, key)
        assert read is None or read.deleted
        assert [record.key for record in rig.records(Entity.CONTACT) if not record.deleted] == [kept]

    def test_an_abandoned_extraction_leaves_the_connector_usable(self, rig: Rig) -> None:
        """A reader that stops after the first page does no harm."""
        key = rig.add(Entity.CONTACT)
        reading = rig.connector.extract(Entity.CONTACT)
        next(reading)
        reading.close()  # type: ignore[attr-defined]
        assert [record.key for record in rig.records(Entity.CONTACT)] == [key]

    def test_extraction_by_key_covers_what_was_asked(self, rig: Rig) -> None:
        """Asked for some keys, it shows those that exist, and covers those that do not."""
        rig.needs(Can.KEYS)
        keys = [rig.add(Entity.CONTACT, number) for number in range(3)]
        scope = Scope(keys=(keys[0], keys[2], rig.absent))
        pages, proof = rig.extraction(Entity.CONTACT, scope)
        assert {record.key for record in rig.records(Entity.CONTACT, scope)} == {keys[0], keys[2]}
        assert proof.partial
        assert proof.complete
        assert {key for page in pages for key in page.covers} == set(scope.keys or ())

    @CHILD
    def test_extraction_by_parent_covers_what_was_asked(self, rig: Rig, entity: Entity) -> None:
        """Asked for the children of some contacts, it covers those that have none too."""
        rig.needs(Can.PARENTS, entity=entity)
        full, empty, other = (rig.add(Entity.CONTACT, number) for number in range(3))
        mine = rig.add(entity, 1, full)
        rig.add(entity, 2, other)
        scope = Scope(parents=(full, empty))
        pages, proof = rig.extraction(entity, scope)
        assert [record.key for record in rig.records(entity, scope)] == [mine]
        assert proof.partial
        assert {key for page in pages for key in page.covers} == {full, empty}

    @CHILD
    def test_extraction_by_key_covers_no_parent(self, rig: Rig, entity: Entity) -> None:
        """Asked for single tasks or notes, it says nothing of the others that their contact has."""
        rig.needs(Can.KEYS, entity=entity)
        contact = rig.add(Entity.CONTACT)
        wanted, _ = rig.add(entity, 1, contact), rig.add(entity, 2, contact)
        pages, proof = rig.extraction(entity, Scope(keys=(wanted,)))
        assert [record.key for record in rig.records(entity, Scope(keys=(wanted,)))] == [wanted]
        assert proof.partial
        assert not any(page.covers for page in pages)

    def test_extraction_since_an_instant_shows_what_changed(self, rig: Rig) -> None:
        """Asked for changes since an instant, it shows those, and covers no contact that it does not show."""
        rig.needs(Can.SINCE)
        old, new = rig.add(Entity.CONTACT, 1), rig.add(Entity.CONTACT, 2)
        rig.edit(Entity.CONTACT, new, {rig.text[Entity.CONTACT]: "later"})
        rig.settle()
        changed = {record.key: record.modified_at for record in rig.records(Entity.CONTACT)}
        since = changed[new]
        assert since is not None
        assert since > (changed[old] or "")
        pages, proof = rig.extraction(Entity.CONTACT, Scope(since=since))
        assert proof.partial
        assert [record.key for record in rig.records(Entity.CONTACT, Scope(since=since))] == [new]
        assert {key for page in pages for key in page.covers} == {new}

    # Writing.

    def test_nothing_to_write_is_nothing_written(self, rig: Rig) -> None:
        """No writes, no replies."""
        assert rig.write() == {}

    @ENTITY
    def test_a_created_record_reads_back(self, rig: Rig, entity: Entity) -> None:
        """A create is answered with the key and the record, which a read and the next extraction show."""
        rig.needs(Can.CREATE, entity=entity)
        parent = None if entity is Entity.CONTACT else rig.add(Entity.CONTACT, 9)
        name, fields = rig.text[entity], rig.sample(entity, 1)
        reply = rig.one(create(entity, fields, parent))
        assert (reply.status, reply.code) == (Status.DONE, "")
        assert reply.record is not None
        assert reply.record.key == reply.key
        assert reply.record.fields[name] == fields[name]
        assert rig.read(entity, reply.record.key, parent).fields[name] == fields[name]
        assert [record.parent for record in rig.records(entity) if record.key == reply.key] == [parent]

    def test_each_create_has_its_own_key(self, rig: Rig) -> None:
        """Several creates in one call give as many records."""
        rig.needs(Can.CREATE)
        writes = [create(Entity.CONTACT, rig.sample(Entity.CONTACT, n), op_id=f"op{n}") for n in range(5)]
        replies = rig.write(*writes)
        assert {reply.status for reply in replies.values()} == {Status.DONE}
        assert {record.key for record in rig.records(Entity.CONTACT)} == {reply.key for reply in replies.values()}
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
        """Quotes, backslashes, line breaks and other scripts survive a write, a read and an extraction."""
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
        done = Write("op", OpKind.COMPLETE, Entity.TASK, before.key, before.parent, fields=rig.completed)
        assert rig.one(done).status is Status.DONE
        after = rig.read(Entity.TASK, before.key, before.parent)
        assert {name: after.fields[name] for name in rig.completed} == dict(rig.completed)
        assert after.fields[rig.text[Entity.TASK]] == before.fields[rig.text[Entity.TASK]]

    def test_writing_to_a_missing_record_is_answered(self, rig: Rig) -> None:
        """An update of a record that is gone is NOT_FOUND, not an exception and not a new record."""
        rig.needs(Can.UPDATE)
        gone = Record(rig.absent, {})
        reply = rig.one(update(Entity.CONTACT, gone, {rig.text[Entity.CONTACT]: "x"}))
        assert reply.status in (Status.STALE, Status.REJECTED)
        assert reply.code == "NOT_FOUND"
        assert rig.records(Entity.CONTACT) == []

    def test_a_bad_value_is_rejected_alone(self, rig: Rig) -> None:
        """One write of a batch is rejected, with a code and a reason that holds no value; its neighbours are done."""
        rig.needs(Can.CREATE)
        if Entity.CONTACT not in rig.bad:
            pytest.skip("this side takes any value")
        bad = {**rig.sample(Entity.CONTACT, 2), **rig.bad[Entity.CONTACT]}
        samples = [rig.sample(Entity.CONTACT, 1), bad, rig.sample(Entity.CONTACT, 3)]
        replies = rig.write(*(create(Entity.CONTACT, fields, op_id=str(n)) for n, fields in enumerate(samples)))
        assert [replies[op_id].status for op_id in "012"] == [Status.DONE, Status.REJECTED, Status.DONE]
        assert replies["1"].code
        assert replies["1"].detail
        assert not any(str(value) in replies["1"].detail for value in bad.values() if len(str(value)) > 5)
        assert {record.key for record in rig.records(Entity.CONTACT)} == {replies["0"].key, replies["2"].key}

    # Guards.

    def test_a_write_against_something_else_than_expected_is_stale(self, rig: Rig) -> None:
        """A field that a user changed since it was seen is not overwritten."""
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        rig.edit(Entity.CONTACT, before.key, {name: "a user was here"})
        late = update(Entity.CONTACT, before, {name: "ours"})
        reply = rig.one(_guarded(late, {name: before.fields[name]}))
        assert reply.status is Status.STALE
        assert rig.read(Entity.CONTACT, before.key).fields[name] == "a user was here"

    def test_a_write_against_what_was_expected_is_done(self, rig: Rig) -> None:
        """The guard lets a write through when the field is as it was, though another field moved."""
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        reply = rig.one(_guarded(update(Entity.CONTACT, before, {name: "ours"}), {name: before.fields[name]}))
        assert reply.status is Status.DONE

    def test_a_guard_that_expects_blank_matches_blank(self, rig: Rig) -> None:
        """Null as the expected value matches an empty field."""
        rig.needs(Can.UPDATE, Can.GUARD, Can.CLEAR)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert rig.one(update(Entity.CONTACT, before, {name: None})).status is Status.DONE
        assert rig.one(_guarded(update(Entity.CONTACT, before, {name: "ours"}), {name: None})).status is Status.DONE
        assert rig.one(_guarded(update(Entity.CONTACT, before, {name: "more"}), {name: None})).status is Status.STALE

    def test_what_is_there_already_is_done(self, rig: Rig) -> None:
        """A write whose values are there already is done, whatever was expected: it may have been ours."""
        rig.needs(Can.UPDATE, Can.GUARD)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        rig.edit(Entity.CONTACT, before.key, {name: "the same"})
        again = _guarded(update(Entity.CONTACT, before, {name: "the same"}), {name: before.fields[name]})
        assert rig.one(again).status is Status.DONE

    def test_a_version_that_moved_is_stale(self, rig: Rig) -> None:
        """A write that names the version it saw is refused once the record has another."""
        rig.needs(Can.UPDATE, Can.VERSIONS)
        before, name = rig.read(Entity.CONTACT, rig.add(Entity.CONTACT)), rig.text[Entity.CONTACT]
        assert before.version
        rig.edit(Entity.CONTACT, before.key, {name: "a user was here"})
        late = Write("op", OpKind.UPDATE, Entity.CONTACT, before.key, fields={name: "ours"}, version=before.version)
        assert rig.one(late).status is Status.STALE
        current = rig.read(Entity.CONTACT, before.key).version
        good = Write("op", OpKind.UPDATE, Entity.CONTACT, before.key, fields={name: "ours"}, version=current)
        reply = rig.one(good)
        assert reply.status is Status.DONE
        assert reply.record is not None
        assert reply.record.version == rig.read(Entity.CONTACT, before.key).version

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
        """ARCHIVE takes the record out of sight, or is rejected with a code where the side has no such thing."""
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
        """Adding and removing tags leaves the others alone, twice is once, and the reply tells the whole set."""
        rig.needs(Can.TAGS)
        key = rig.add(Entity.CONTACT)
        base = _tags(rig.read(Entity.CONTACT, key))
        add = Write("op", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip", "new lead"))
        remove = Write("op", OpKind.REMOVE_TAGS, Entity.CONTACT, key, tags=("vip", "never had"))
        for write, expected in ((add, {"vip", "new lead"}), (add, {"vip", "new lead"}), (remove, {"new lead"})):
            reply = rig.one(write)
            assert (reply.status, reply.code) == (Status.DONE, "")
            assert _tags(rig.read(Entity.CONTACT, key)) == base | expected
            assert reply.record is None or _tags(reply.record) == base | expected
        assert rig.one(remove).status is Status.DONE
        shown = {record.key: record for record in rig.records(Entity.CONTACT)}[key]
        assert _tags(shown) == base | {"new lead"}

    def test_a_tag_in_another_case_is_the_same_tag(self, rig: Rig) -> None:
        """GHL knows tags in lower case alone, so a tag that is there in another case is neither added nor left behind."""
        rig.needs(Can.TAGS)
        key = rig.add(Entity.CONTACT)
        base = _tags(rig.read(Entity.CONTACT, key))
        for kind, tag, more in (
            (OpKind.ADD_TAGS, "Gold Member", 1),
            (OpKind.ADD_TAGS, "gold member", 1),
            (OpKind.REMOVE_TAGS, "GOLD member", 0),
        ):
            assert rig.one(Write("op", kind, Entity.CONTACT, key, tags=(tag,))).status is Status.DONE
            assert len(_tags(rig.read(Entity.CONTACT, key))) == len(base) + more

    @ENTITY
    def test_look_finds_what_a_create_made(self, rig: Rig, entity: Entity) -> None:
        """After a create in doubt, look finds the record, and makes none."""
        rig.needs(Can.CREATE, entity=entity)
        parent = None if entity is Entity.CONTACT else rig.add(Entity.CONTACT, 9)
        doubtful = create(entity, rig.sample(entity, 1), parent)
        assert list(rig.connector.look(doubtful)) == []
        made = rig.one(doubtful).key
        rig.settle()
        assert made in [record.key for record in rig.connector.look(doubtful)]
        assert [record.key for record in rig.records(entity)].count(made or "") == 1

    def test_usage_never_goes_back_and_close_is_idempotent(self, rig: Rig) -> None:
        """Requests are counted up, and closing twice is closing once."""
        before = rig.connector.usage().requests
        rig.records(Entity.CONTACT)
        assert rig.connector.usage().requests >= before
        rig.connector.close()
        rig.connector.close()


def _guarded(write: Write, expected: Mapping[str, Json]) -> Write:
    return Write(write.op_id, write.kind, write.entity, write.key, write.parent, write.fields, expected=expected)
