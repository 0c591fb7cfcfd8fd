"""What an outcome's code means and what to do about it: no failure stands without a remedy."""

from __future__ import annotations

from typing import NamedTuple


class Remedy(NamedTuple):
    """What a code means, what to do, and whether the next run settles it by itself."""

    meaning: str
    remedy: str
    settles_itself: bool = False


_UNKNOWN = Remedy(
    "the side refused the write",
    "read the detail beside the record; correct the value or the mapping, then run again",
)

REMEDIES: dict[str, Remedy] = {
    "VALUE_DROPPED": Remedy(
        "the write was accepted, but the side stores another value",
        (
            "compare sent and stored; if the side rewrites the value on purpose, map the field so "
            "that both forms mean the same. It is not sent again until the value changes"
        ),
    ),
    "INVALID_FIELD": Remedy(
        "the side does not accept a value or a property",
        "correct the value at its source, or the field's mapping",
    ),
    "DUPLICATE": Remedy(
        "another record there has this email, phone or other unique value",
        (
            "two people: correct the one that has it wrongly, at its source; one person: "
            "merge the two. The next run asks, with both records, and does not send it "
            "again while nothing changes"
        ),
    ),
    "EXISTS": Remedy(
        "a record with the same identity exists there already, and it is linked with another one",
        (
            "two people: correct the one that has the value wrongly, at its source; one person: "
            "merge the two. The next run asks about it"
        ),
    ),
    "CHANGED": Remedy(
        "somebody changed the record between plan and write",
        "nothing: the next run compares it again",
        settles_itself=True,
    ),
    "STALE": Remedy(
        "somebody changed the record between plan and write",
        "nothing: the next run compares it again",
        settles_itself=True,
    ),
    "GONE": Remedy(
        "the record was deleted between plan and write",
        "nothing: the next run sees it as gone",
        settles_itself=True,
    ),
    "NOT_FOUND": Remedy(
        "the record was deleted between plan and write",
        "nothing: the next run sees it as gone",
        settles_itself=True,
    ),
    "IN_DOUBT": Remedy(
        "an earlier write to this record is in doubt",
        "answer the question about it; each run looks at it again, too",
    ),
    "NOT_DELETED": Remedy(
        "the old record on the former contact is still there",
        "Look at why it was not deleted; the next run tries again.",
    ),
    "CONSENT": Remedy(
        "it would have opted somebody in, and nothing on record says why",
        "make the plan again",
    ),
    "PERMANENT": Remedy(
        "the person said no for good, and GHL says so",
        "nothing: only the person lifts it, by writing START",
    ),
    "NO_PARENT": Remedy(
        "its contact could not be created, so it had nothing to hang on",
        "settle the contact's failure; this follows in the next run",
    ),
    "NOT_THERE_YET": Remedy(
        "what it names could not be created before it",
        "settle that record's failure; this follows in a later run",
    ),
    "UNCERTAIN": Remedy(
        "no answer came to the write",
        "nothing: the next run looks whether it happened before anything is repeated",
        settles_itself=True,
    ),
    "TRANSIENT": Remedy(
        "the side failed and did not recover in time",
        "nothing: the next run tries again",
        settles_itself=True,
    ),
    "EXHAUSTED": Remedy(
        "the request quota was used up",
        "nothing: the next run goes on; or lower what else uses the quota",
        settles_itself=True,
    ),
    "EXHAUSTED_DAY": Remedy(
        "the day's request quota was used up", "nothing: the next run goes on", settles_itself=True
    ),
    "EXHAUSTED_BURST": Remedy(
        "the side refused for too many requests at once",
        "lower the window in the pair file if it recurs",
        settles_itself=True,
    ),
    "FORBIDDEN": Remedy(
        "the credentials lack a scope", "add the scope that the detail names, then run `doctor`"
    ),
    "EXPIRED": Remedy(
        "the credentials are no longer valid",
        "run `auth login`, or renew the private integration token",
    ),
    "WRONG_LOCATION": Remedy(
        "the token belongs to another location",
        "use the token of the location that the pair file names",
    ),
    "BLOCKED": Remedy(
        "a gateway in front of the side refused the client",
        "run `doctor`; ask the side's support with the trace id",
    ),
    "MALFORMED": Remedy(
        "the side's answer does not have the documented form",
        "report it with the trace id; the record was not settled",
    ),
    "READ_ONLY": Remedy(
        "the field or table cannot be written",
        "make the field one-way in the pair file, or grant the right to write",
    ),
    "CREATE_ONLY": Remedy(
        "the field can be set on create alone", "make the field one-way in the pair file"
    ),
    "UNSUPPORTED": Remedy(
        "the side has no such write", "leave this kind of write out in the pair file"
    ),
    "UNSENT": Remedy(
        "the write was not sent", "nothing: the next run plans it again", settles_itself=True
    ),
    "NOT_SENT": Remedy(
        "the run ended before this write was its turn",
        "nothing: the next run plans it again",
        settles_itself=True,
    ),
}


def remedy(code: str) -> Remedy:
    """The remedy for a code; a general one where the code is not known."""
    return REMEDIES.get(code, _UNKNOWN)
