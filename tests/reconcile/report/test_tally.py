"""What counts as one record, however many writes it takes."""

from __future__ import annotations

import pytest

from reconcile.report.totals import totals
from tests.builders_report import change_of


@pytest.mark.parametrize("key", ["7", None])
def test_what_completes_a_new_record_is_a_part_of_its_creation(key: str | None) -> None:
    """A task that is created and then completed is one record created, and none updated, before it has a key and after."""
    keys = {"side": "app", "entity": "task", "app_key": key}
    entries = [change_of(kind="create", **keys), change_of(kind="complete", **keys)]
    done = totals(entries, {})["done"]
    assert (done["creates"], done["updates"], done["writes"]) == (1, 0, 2)


def test_a_record_counts_as_done_where_one_of_its_writes_was() -> None:
    """Of two writes to a record one failed: it is updated, by one write of two."""
    keys = {"side": "ghl", "entity": "contact", "kind": "update", "ghl_key": "g1"}
    entries = [change_of(**keys), change_of(status="rejected", **keys)]
    counts = totals(entries, {})
    assert [counts[name]["updates"] for name in ("planned", "done")] == [1, 1]
    assert [counts[name]["writes"] for name in ("planned", "done")] == [2, 1]
    assert (
        totals([change_of(**keys | {"side": side}) for side in ("app", "ghl")], {})["done"][
            "updates"
        ]
        == 2
    )


def test_a_new_record_that_is_refused_as_another_has_its_email_counts_by_itself() -> None:
    """GHL names the record that has it: that one was made of somebody else, and its own update counts, too."""
    keys = {"side": "ghl", "entity": "contact", "kind": "create", "ghl_key": "g1"}
    made, refused = (
        change_of(**keys, app_key="a1"),
        change_of(**keys, app_key="a2", status="rejected"),
    )
    counts = totals([made, refused], {})
    assert [counts[name]["creates"] for name in ("planned", "done")] == [2, 1]
    updated = change_of(side="ghl", entity="contact", kind="update", ghl_key="g1", app_key="a1")
    assert totals([refused, updated], {})["done"]["updates"] == 1
