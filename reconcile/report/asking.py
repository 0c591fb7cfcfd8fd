"""The words of what can be asked and answered, for report, review, spreadsheet and documents."""

from __future__ import annotations

from dataclasses import dataclass

LINK = "link:"
"""How an answer begins that names the counterpart by its key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: words for a button, what it does, and a sentence about a record `{here}`.

    The sentence may also name the side `{across}`.
    """

    button: str
    does: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question: heading, badge, meaning, and the answers it offers (`options`)."""

    heading: str
    badge: str
    means: str
    options: str


KINDS = {
    "conflict": Kind(
        "Both sides changed",
        "both changed",
        "both sides changed the field since they last agreed, to different values",
        (
            "`app`, `ghl`: take that side's value; `leave`: accept the difference; "
            "of a consent, `deny`: both say no, `allow`: the no is lifted"
        ),
    ),
    "ambiguous": Kind(
        "More than one match",
        "several matches",
        (
            "more than one record could be its counterpart, or one that matches is known by "
            "something stronger as another"
        ),
        "`link:KEY`, `create`, `ignore`",
    ),
    "suggested": Kind(
        "Probably the same",
        "suggested link",
        (
            "no match rule joins the two, but an audit or a migration found them probably "
            "one (see [map](map.md))"
        ),
        "`link:KEY`, `create`, `ignore`",
    ),
    "duplicate": Kind(
        "Twice on one side",
        "twice on one side",
        "another record of the same side has the same identity",
        "`create`, `ignore`",
    ),
    "erased": Kind(
        "Erased before",
        "erased before",
        (
            "somebody with this key or identity was erased with `erase`, and one side still has "
            "the record, or has it again"
        ),
        "`create`, `ignore`",
    ),
    "delete": Kind(
        "Gone from one side",
        "gone from one side",
        "its counterpart is gone, and the rule is to ask; or it was changed here and deleted there",
        (
            "`delete`, `restore`, `keep`; where it looks merged into another record, "
            "`relink` instead of `restore`; where that record has a counterpart of its own, "
            "`keep` (two records here, one there) or `delete`"
        ),
    ),
    "moved": Kind(
        "On another contact",
        "on another contact",
        (
            "a task or note hangs on another contact than when it was linked: "
            "it was moved, or its key was given to another record. GHL cannot move one. "
            "Nothing is compared or written until you answer"
        ),
        (
            "`move`: make GHL's again on the new contact and delete the old one, where GHL has "
            "that contact; `unlink`: they are two things, where they hold different things; "
            "`keep`: leave both as they are"
        ),
    ),
    "another": Kind(
        "Another under the same key?",
        "another under the same key",
        (
            "everything that a linked contact was known by (what the match rules use, "
            "and its names; two values at least) changed at once on one side, or the name of a "
            "company together with another value, or either after it was missing: "
            "its key may have been given to somebody else, as SQLite does after a delete, and any "
            "database after a backup was restored. Nothing of it, of its tasks or of its notes is "
            "compared or written until you answer, and nobody is given to such a company"
        ),
        "`same`: it is the same one, and the changes travel; `unlink`: they are two",
    ),
    "refused": Kind(
        "A side refused it",
        "refused",
        (
            "a side refused a value, a tag, the end of a task, or a new record altogether. Where "
            "another record there has that email or phone, both are named: two people: correct "
            "the one that has it wrongly, at its source; one person: merge the two. Where the side "
            "takes no such value, correct it at its source. What else the record holds is written"
        ),
        (
            "`retry`: send it again; `leave` (a value): accept the difference; "
            "`ignore` (a new contact): leave it out"
        ),
    ),
    "unsyncable": Kind(
        "Cannot be carried across",
        "cannot be carried across",
        "the value cannot be carried across",
        "none: correct it at its source",
    ),
    "required": Kind(
        "A required value is missing",
        "required value missing",
        (
            "the other side is known to refuse a new record without the field that is named, as "
            "GHL does a task without a due date, and it is blank. Nothing is sent until it is "
            "filled in at its source, or its line in the pair file has a `fallback`"
        ),
        "`ignore`: leave it out",
    ),
    "doubt": Kind(
        "A write in doubt",
        "write in doubt",
        (
            "a write was begun, no answer told whether it happened, "
            "and the record cannot be looked at. Each run looks again; "
            "until then nothing else is written to this record, and all others go on"
        ),
        (
            "`happened`: it was carried out; `never`: it was not, and is planned again; "
            "`again`: go on looking"
        ),
    ),
    "flapping": Kind(
        "Changes back and forth",
        "back and forth",
        (
            "what runs wrote to the field was taken back each time: two automations, "
            "or one and this job, undo one another"
        ),
        (
            "`app`, `ghl`: write that side's value once more; `leave`: accept the difference; "
            "a one-way field offers its owner's side alone"
        ),
    ),
}
"""Every kind of question. A suggested link is an ambiguous match to whoever answers it."""

ASKED = tuple(name for name in KINDS if name != "suggested")
"""What a question may be called as its kind."""

ANSWERS = {
    "app": Answer("Take the app's value", "the app's value is written to GHL", ""),
    "ghl": Answer("Take GHL's value", "GHL's value is written to the app", ""),
    "deny": Answer(
        "Both say no",
        "both sides say that the person may not be written to",
        "The no is written to the side that says yes.",
    ),
    "allow": Answer(
        "Lift the no: both say yes",
        "a no is lifted: both sides say that the person may be written to",
        "The yes is written over the no. Do this only where you know that the person said it last.",
    ),
    "retry": Answer(
        "Send it again",
        "it is sent once more",
        "It is sent to {across} once more. Where it is refused again, you are asked again.",
    ),
    "leave": Answer(
        "Leave both as they are",
        "both sides stay as they are",
        (
            "Nothing is written, and the difference is accepted. "
            "A later change on one side travels as usual."
        ),
    ),
    "create": Answer(
        "It is a record of its own",
        "a record of its own is created on the other side",
        "A new record is created in {across}, with what this one holds.",
    ),
    "ignore": Answer(
        "Leave it out",
        "the record is left out from now on",
        (
            "Nothing is written to it, in this run or a later one. "
            "It is asked again only if other candidates turn up."
        ),
    ),
    "delete": Answer(
        "Delete it too",
        "the record that is left is deleted too",
        "The record that is left in {here} is deleted too.",
    ),
    "restore": Answer(
        "Bring it back",
        "the record that is left is created again across",
        "The link to the lost record is dropped, and this one is created again in {across}.",
    ),
    "relink": Answer(
        "Look for its counterpart anew",
        "the link is dropped, and the record is matched anew",
        (
            "The link to the lost record is dropped, and its counterpart is "
            "looked for anew in {across}."
        ),
    ),
    "keep": Answer(
        "Keep it alone",
        "the record that is left stays, without a counterpart",
        "The record stays in {here} as it is, without a counterpart.",
    ),
    "move": Answer(
        "Move GHL's as well",
        "GHL's record is deleted, and made again on the contact where the app has it",
        (
            "GHL cannot move one, so its record is deleted, and made again on the contact "
            "where the app has it now, with what the app holds. What only GHL shows of it, "
            "such as a user it is assigned to, is lost unless the pair file maps it."
        ),
    ),
    "happened": Answer(
        "It happened",
        "the write counts as carried out",
        (
            "The write to {here} counts as carried out. A record that it made is "
            "linked once it can be read."
        ),
    ),
    "never": Answer(
        "It did not happen",
        "the write counts as not carried out, and is planned again",
        (
            "The write to {here} counts as not carried out, and is planned again where it is still "
            "needed. Look in {here} first: if it did happen, a record may be made a second time."
        ),
    ),
    "again": Answer(
        "Go on looking",
        "each run looks again",
        "Nothing is written to the record until a run can look at it; each run tries.",
    ),
    "unlink": Answer(
        "They are two things",
        "the two are taken apart, and each is a record of its own",
        (
            "The link between the two is dropped. A counterpart of each is looked "
            "for under the contact that it hangs on now; where there is none, "
            "one is created if the pair file lets it, so that both sides have both."
        ),
    ),
    "same": Answer(
        "It is the same one",
        "the changes are carried across, as any others",
        (
            "The new name, and what else is new, are changes of the same person or company: "
            "they travel as the pair file says."
        ),
    ),
}
"""What each answer does."""

ANOTHER = {
    "unlink": Answer(
        "They are two",
        "the two are taken apart, and each is a record of its own",
        (
            "The link between the two is dropped, with those of their tasks and notes. "
            "A counterpart of each is looked for by the match rules; where there is none, "
            "one is created if the pair file lets it, so that both sides have both. "
            "Delete the one that nobody wants any more afterwards."
        ),
    ),
}
"""Answers that mean something else of a record that may be another's by now."""

MOVED = {
    "keep": Answer(
        "Leave both where they are",
        "both stay as they are, and are not compared any more",
        (
            "Both records stay as they are and stay linked, but changes of either are not carried "
            "across. It is asked again once one of them is moved."
        ),
    ),
}
"""Answers that mean something else of a moved task or note: both of its records are there."""


OF_CREATES = {
    "ignore": Answer(
        "Leave it out",
        "the record is left out as long as it stays as it is",
        "Nothing is sent as long as it stays as it is. Once it is corrected, it is sent.",
    ),
}
"""Answers that mean something else of a new record that a side refused, or is known to refuse."""

_OF_KIND = {"another": ANOTHER, "moved": MOVED, "refused": OF_CREATES, "required": OF_CREATES}


def answer(kind: str, choice: str) -> Answer:
    """What a choice does, as the answer to a question of that kind.

    The sentence of a link or a value needs the record.
    """
    if choice.startswith(LINK):
        key = choice.removeprefix(LINK)
        return Answer(
            f"It is {key}",
            f"linked with {key}",
            f"It is linked with {key}; from then on the two records are kept in agreement.",
        )
    unknown = Answer(choice, choice, "The next run carries it out.")
    return _OF_KIND.get(kind, ANSWERS).get(choice) or ANSWERS.get(choice, unknown)


def rows() -> str:
    """The table of kinds for the documents, in Markdown."""
    lines = [f"| {name} | {kind.means} | {kind.options} |" for name, kind in KINDS.items()]
    return "\n".join(["| kind | it means | options |", "|---|---|---|", *lines])
