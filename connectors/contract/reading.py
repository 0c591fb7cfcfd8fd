"""What every connector must show when it is asked what it is, and read."""

from __future__ import annotations

import json
from pathlib import Path as FilePath

import pytest

from connectors.contract.rig import Can, Rig
from connectors.contract.shapes import first, read_line, read_with_duckdb
from reconcile.entities import OWNER, RECORDS
from reconcile.model import Entity
from reconcile.ports import Connector, Scope

ENTITY = pytest.mark.parametrize("entity", RECORDS, ids=str)
CHILD = pytest.mark.parametrize("entity", OWNER.children, ids=str)


class Reading:
    """The half of the contract that writes nothing through the connector."""

    # What it is.

    def test_it_fills_the_interface(self, rig: Rig) -> None:
        """A connector has every method of reconcile.ports.Connector."""
        assert isinstance(rig.connector, Connector)

    def test_describe_is_repeatable(self, rig: Rig) -> None:
        """Two descriptions of an unchanged side are equal.

        Its identity says which side it is.
        """
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
        """Every key comes exactly once, and the pages count their lines.

        The proof says that it is all.
        """
        rig.needs(entity=entity)
        parent = None if not entity.parent else rig.add(Entity.CONTACT, 500)
        keys = [rig.add(entity, number, parent) for number in range(7)]
        pages, proof = rig.extraction(entity)
        lines = [line for page in pages for line in page.lines.splitlines()]
        assert sorted(read_line(rig.connector.shape(entity), line).key for line in lines) == sorted(
            keys
        )
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
    def test_python_and_duckdb_read_the_shape_alike(
        self, rig: Rig, entity: Entity, tmp_path: FilePath
    ) -> None:
        """The paths of the shape mean the same to DuckDB as to Python.

        That holds for every field of every line.
        """
        rig.needs(entity=entity)
        for number in range(3):
            rig.add(entity, number)
        shape, (pages, _) = rig.connector.shape(entity), rig.extraction(entity)
        rows = [json.loads(line) for page in pages for line in page.lines.splitlines()]
        places = {**shape.fields, "<key>": shape.key, "<parent>": shape.parent}
        expected = [
            {name: first(row, paths) for name, paths in places.items() if paths} for row in rows
        ]
        assert read_with_duckdb(shape, pages, tmp_path) == expected

    @CHILD
    def test_tasks_and_notes_name_their_contact(self, rig: Rig, entity: Entity) -> None:
        """A task or note carries its contact's key as its parent.

        It does so in an extraction and in a read.
        """
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
        assert (
            rig.connector.read(entity, rig.absent, None if not entity.parent else contact) is None
        )

    def test_a_deleted_record_is_absent(self, rig: Rig) -> None:
        """What a user deleted is neither in a read nor in the next extraction.

        It may be there if it is marked as deleted.
        """
        key, other = rig.add(Entity.CONTACT, 1), rig.add(Entity.CONTACT, 2)
        rig.remove(Entity.CONTACT, key)
        rig.settle()
        read = rig.connector.read(Entity.CONTACT, key)
        assert read is None or read.deleted
        assert [record.key for record in rig.records(Entity.CONTACT) if not record.deleted] == [
            other
        ]

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
        """Asked for changes since an instant, it shows those.

        It covers no contact that it does not show.
        """
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
