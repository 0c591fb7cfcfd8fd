"""What kinds of record there are, and what every stage reads of them."""

from __future__ import annotations

from reconcile.entities import PARENTS, RECORDS, SPECS, Entity


def test_each_kind_is_declared_once() -> None:
    """Every kind has its declaration, and no other has one."""
    assert set(SPECS) == set(Entity)


def test_a_parent_comes_before_what_hangs_on_it() -> None:
    """What others hang on, or are a set of, stands before them, as a plan writes it first."""
    order = list(SPECS)
    for entity, spec in SPECS.items():
        for above in (spec.parent, spec.set_of):
            assert above is None or order.index(above) < order.index(entity)


def test_what_others_hang_on_hangs_on_nothing() -> None:
    """The stage knows two levels: a record, and what hangs on it."""
    assert all(parent.parent is None for parent in PARENTS)


def test_a_set_is_held_by_a_kind_of_record() -> None:
    """Tags are no records of their own: whoever asks for theirs is told the contact's."""
    assert Entity.TAG.record is Entity.CONTACT
    assert Entity.TAG not in RECORDS
    assert [entity.record for entity in RECORDS] == list(RECORDS)


def test_a_count_has_its_noun() -> None:
    """One record is named in the singular, any other number in the plural."""
    assert [Entity.NOTE.counted(count) for count in (0, 1, 2000)] == [
        "0 notes",
        "1 note",
        "2,000 notes",
    ]
