"""The classes of the statement: every row of every snapshot is in exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Tone(StrEnum):
    """How a class reads: settled, done, to be decided, failed, or outside the comparison."""

    QUIET = "quiet"
    DONE = "done"
    ASK = "ask"
    FAIL = "fail"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Class:
    """One class: `name` is stable, `label` and `meaning` are for people."""

    name: str
    label: str
    tone: Tone
    meaning: str


UNEXPLAINED = "unexplained"
IN_SYNC = "in_sync"
GONE = "gone"

CLASSES: tuple[Class, ...] = (
    Class(
        UNEXPLAINED,
        "Unexplained",
        Tone.FAIL,
        "no rule, operation or question accounts for this record: a fault of the job",
    ),
    Class("rejected", "Write rejected", Tone.FAIL, "the side refused the write"),
    Class(
        "in_doubt",
        "Write in doubt",
        Tone.FAIL,
        "no answer came to the write; the next run looks before it repeats anything",
    ),
    Class(
        "stale",
        "Changed meanwhile",
        Tone.FAIL,
        (
            "the record changed between plan and write, so nothing was written; "
            "the next run compares again"
        ),
    ),
    Class(
        "skipped",
        "Not carried out",
        Tone.FAIL,
        "planned, but not sent in this run; the next run plans it again",
    ),
    Class(
        "conflict",
        "Conflict held",
        Tone.ASK,
        "both sides changed the same field to different values; a person decides",
    ),
    Class(
        "flapping",
        "Back and forth held",
        Tone.ASK,
        "what runs write to a field is taken back each time; a person decides",
    ),
    Class(
        "moved",
        "Moved, held",
        Tone.ASK,
        "it hangs on another contact than when it was linked; a person decides what that means",
    ),
    Class(
        "another",
        "Another under the same key held",
        Tone.ASK,
        (
            "everything that it was known by changed at once, so it may be another person or "
            "company by now; somebody decides"
        ),
    ),
    Class(
        "unsyncable",
        "Cannot be synced",
        Tone.ASK,
        "a required value is missing or invalid, or the contact it belongs to is not linked",
    ),
    Class(
        "required",
        "Required value missing",
        Tone.ASK,
        "the other side is known to refuse a new record without a value that is blank here; "
        "nothing is sent until it is filled in",
    ),
    Class(
        "value_dropped",
        "Value not stored as sent",
        Tone.FAIL,
        "the write was accepted, but the side stores another value",
    ),
    Class(
        "ambiguous",
        "Ambiguous match held",
        Tone.ASK,
        "more than one record could be its counterpart; a person decides",
    ),
    Class(
        "suggested",
        "Suggested link held",
        Tone.ASK,
        "a record of the other side is probably the same, though no rule says so; a person decides",
    ),
    Class(
        "duplicate",
        "Duplicate held",
        Tone.ASK,
        "another record of the same side has the same identity",
    ),
    Class(
        "refused",
        "Refused before, held",
        Tone.ASK,
        "the other side refused to make it, and would again; a person decides",
    ),
    Class(
        "erased",
        "Erased before, held",
        Tone.ASK,
        "somebody with its key or identity was erased; a person decides whether it travels again",
    ),
    Class(
        "absence_held",
        "Deletion held",
        Tone.ASK,
        "its counterpart is gone; a person decides what that means",
    ),
    Class(
        "deleted",
        "Deleted",
        Tone.DONE,
        "its counterpart was deleted, and so was this record",
    ),
    Class(
        GONE,
        "Deleted before",
        Tone.ASIDE,
        "its side marks it as deleted, or it is gone from both sides: nothing is to be done",
    ),
    Class("created", "Created", Tone.DONE, "its counterpart was created on the other side"),
    Class("updated", "Updated", Tone.DONE, "this record or its counterpart was updated"),
    Class(
        "accepted",
        "Difference accepted",
        Tone.QUIET,
        "the sides are known to differ, and a rule or a decision leaves it so",
    ),
    Class(
        "quarantined",
        "Absence watched",
        Tone.ASIDE,
        "its counterpart is missing, but not yet in enough complete runs to act on it",
    ),
    Class(
        "apart",
        "Not of this pair",
        Tone.ASIDE,
        "it belongs to no contact, or to one that is deleted or that a rule leaves out: "
        "nothing is to be done about it",
    ),
    Class(
        "excluded",
        "Excluded by rule",
        Tone.ASIDE,
        "a rule of the pair file, or a decision, leaves this record out",
    ),
    Class(
        "not_checked",
        "Not checked",
        Tone.ASIDE,
        "the other side was not read far enough to compare; it does not count as matched",
    ),
    Class(
        "timing",
        "Timing",
        Tone.QUIET,
        "an index that trails our own last write, or a record that turned up while writing",
    ),
    Class(
        "formatting_only",
        "Formatting only",
        Tone.QUIET,
        "only the form of a value changed, not its meaning",
    ),
    Class(
        IN_SYNC,
        "In sync",
        Tone.QUIET,
        "compared and equal, or unchanged on both sides since they were last compared",
    ),
)
"""All classes, the most urgent first: a record that several apply to is in the first of them."""

EQUAL, CARRIED, BY_RULE = "equal", "carried", "by_rule"

VALUE_CLASSES: tuple[Class, ...] = (
    Class(
        UNEXPLAINED, "Unexplained", Tone.FAIL, "nothing accounts for this value: a fault of the job"
    ),
    Class("rejected", "Refused", Tone.FAIL, "a side refused the value"),
    Class("pending", "Not written", Tone.FAIL, "due on the other side, and not written there yet"),
    Class(
        "dropped", "Not stored as sent", Tone.FAIL, "a side took the value and shows another one"
    ),
    Class(
        "unreadable",
        "Unreadable",
        Tone.ASK,
        "a side holds something that is no value of its kind; it stays as it is",
    ),
    Class("held", "In question", Tone.ASK, "a person decides"),
    Class(
        "not_read",
        "Not read",
        Tone.ASIDE,
        "not read, or not far enough to compare; it does not count as equal",
    ),
    Class(
        BY_RULE,
        "Apart by rule",
        Tone.QUIET,
        "apart because a rule of the pair file, or a decision, wants it so",
    ),
    Class(CARRIED, "Carried", Tone.DONE, "made equal by this run, as the side's own answer shows"),
    Class(
        EQUAL,
        "Equal",
        Tone.QUIET,
        "the same on both sides, read in this run or unmoved since it was compared",
    ),
)
"""The classes of mapped values, the most urgent first: every value is in exactly one."""

AGREED = (EQUAL, CARRIED, BY_RULE)
"""The classes of which agreement is made; a value in any other keeps the verdict from saying so."""

VALUES_BY_NAME = {each.name: each for each in VALUE_CLASSES}

OF_RECORDS = {
    UNEXPLAINED: UNEXPLAINED,
    "rejected": "rejected",
    "in_doubt": "pending",
    "stale": "pending",
    "skipped": "pending",
    "timing": "pending",
    "created": "pending",
    "updated": "pending",
    "value_dropped": "dropped",
    "conflict": "held",
    "flapping": "held",
    "unsyncable": "held",
    "required": "held",
    "ambiguous": "held",
    "suggested": "held",
    "duplicate": "held",
    "refused": "held",
    "erased": "held",
    "absence_held": "held",
    "accepted": BY_RULE,
    "excluded": BY_RULE,
    "apart": BY_RULE,
    "quarantined": "not_read",
    "not_checked": "not_read",
}
"""What the values of a record without a counterpart are, by the record's own class.

Those of a deleted one are no more.
"""

_AHEAD = {
    "created": ("To be created", "its counterpart is to be created on the other side"),
    "updated": ("To be updated", "this record or its counterpart is to be updated"),
    "deleted": (
        "To be deleted",
        "its counterpart was deleted, and so this record is to be",
    ),
    "pending": ("To be written", "due on the other side"),
}


def legend(
    known: Iterable[Class],
    *,
    applied: bool,
) -> list[dict[str, Any]]:
    """The classes as a report has them: name, label, tone, meaning.

    `applied` is false for one that says what would be written.
    """
    return [
        {"name": c.name, "label": c.label, "tone": c.tone.value, "meaning": c.meaning}
        for c in (known if applied else _ahead(known))
    ]


def _ahead(known: Iterable[Class]) -> Iterator[Class]:
    for each in known:
        label, meaning = _AHEAD.get(each.name, (each.label, each.meaning))
        tone = Tone.DONE if each.name in _AHEAD else each.tone
        yield replace(each, label=label, meaning=meaning, tone=tone)


BY_NAME = {each.name: each for each in CLASSES}
