"""Counts the records of a run by what was done to them.

Each once, however many writes that took.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import OpKind, Side, Status

NAMES = {
    OpKind.CREATE: "creates",
    OpKind.UPDATE: "updates",
    OpKind.COMPLETE: "updates",
    OpKind.DELETE: "deletes",
    OpKind.ARCHIVE: "deletes",
    OpKind.ADD_TAGS: "tags_added",
    OpKind.REMOVE_TAGS: "tags_removed",
    OpKind.ADOPT: "links",
    OpKind.FORGET: "forgotten",
}
"""What a kind of operation does to its record."""


class Records:
    """The records that were counted so far, by what was done to them."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str, str], set[str]] = {}

    def new(self, entry: Map[str, Any]) -> bool:
        """Whether nothing of that kind was counted of the record yet; it is now.

        What is written to a record that the same run creates is a part of its creation.
        """
        name = NAMES[OpKind(entry["kind"])]
        side = Side(entry["side"])
        key = entry[f"{side}_key"]
        if name == "creates":
            # A side that refuses a new record may name another one, which was not made of this.
            if entry["status"] != Status.REJECTED:
                self._of(entry, "made").add(key)
            key = entry[f"{side.other}_key"] or key
        # A record that is still to be created has no key yet.
        if key is None:
            return name != "updates"
        if name == "updates" and key in self._of(entry, "made"):
            return False
        counted = self._of(entry, name)
        known = key in counted
        counted.add(key)
        return not known

    def _of(self, entry: Map[str, Any], name: str) -> set[str]:
        return self._counted.setdefault((entry["entity"], entry["side"], name), set())
