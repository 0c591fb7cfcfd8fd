"""What counts as one record, however many writes it takes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from reconcile.model import OpKind, Side, Status
from reconcile.report import tally
from reconcile.report.tally import NAMES, Records, Sieve
from reconcile.report.totals import totals
from tests.builders_report import change_of


def counted(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return totals(entries, {}, Sieve.of(entries))


@pytest.mark.parametrize("key", ["7", None])
def test_what_completes_a_new_record_is_a_part_of_its_creation(key: str | None) -> None:
    """A task that is created and then completed is one record created, and none updated, before it has a key and after."""
    keys = {"side": "app", "entity": "task", "app_key": key}
    entries = [change_of(kind="create", **keys), change_of(kind="complete", **keys)]
    done = counted(entries)["done"]
    assert (done["creates"], done["updates"], done["writes"]) == (1, 0, 2)


def test_a_record_counts_as_done_where_one_of_its_writes_was() -> None:
    """Of two writes to a record one failed: it is updated, by one write of two."""
    keys = {"side": "ghl", "entity": "contact", "kind": "update", "ghl_key": "g1"}
    entries = [change_of(**keys), change_of(status="rejected", **keys)]
    counts = counted(entries)
    assert [counts[name]["updates"] for name in ("planned", "done")] == [1, 1]
    assert [counts[name]["writes"] for name in ("planned", "done")] == [2, 1]
    assert (
        counted([change_of(**keys | {"side": side}) for side in ("app", "ghl")])["done"]["updates"]
        == 2
    )


def test_a_new_record_that_is_refused_as_another_has_its_email_counts_by_itself() -> None:
    """GHL names the record that has it: that one was made of somebody else, and its own update counts, too."""
    keys = {"side": "ghl", "entity": "contact", "kind": "create", "ghl_key": "g1"}
    made, refused = (
        change_of(**keys, app_key="a1"),
        change_of(**keys, app_key="a2", status="rejected"),
    )
    counts = counted([made, refused])
    assert [counts[name]["creates"] for name in ("planned", "done")] == [2, 1]
    updated = change_of(side="ghl", entity="contact", kind="update", ghl_key="g1", app_key="a1")
    assert counted([refused, updated])["done"]["updates"] == 1


class Everything:
    """Lets every name through, so that all are remembered."""

    def __contains__(self, name: object) -> bool:
        return True


@pytest.mark.parametrize("places", [8, 1 << 27])
def test_what_is_remembered_makes_no_difference(
    places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of operations made by chance the same are counted where the sieve has few places, has many, or lets all through."""
    monkeypatch.setattr(tally, "_BITS", places)
    chance = Random(7)  # noqa: S311 - operations made by chance, no secret
    kinds = [kind for kind in NAMES if kind is not OpKind.FORGET]
    keys = [*map(str, range(40)), None]
    for _ in range(50):
        entries = [
            change_of(
                kind=chance.choice(kinds),
                side=chance.choice(list(Side)),
                entity=chance.choice(["contact", "task"]),
                status=chance.choice([Status.DONE, Status.REJECTED]),
                app_key=chance.choice(keys),
                ghl_key=chance.choice(keys),
            )
            for _ in range(chance.randint(1, 60))
        ]
        sieved, whole = Records(Sieve.of(entries)), Records(Everything())  # type: ignore[arg-type]
        assert [sieved.new(entry) for entry in entries] == [whole.new(entry) for entry in entries]


def test_a_load_of_new_records_is_counted_without_a_list_of_them() -> None:
    """Of records that are made once each, next to none is remembered, however many there are."""
    entries = [
        change_of(kind="create", side="ghl", entity="contact", app_key=f"a{at}", ghl_key=f"g{at}")
        for at in range(5_000)
    ]
    records = Records(Sieve.of(entries))
    assert sum(map(records.new, entries)) == len(entries)
    assert len(records._made) + len(records._counted) < 20
