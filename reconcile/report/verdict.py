"""The verdict: what an owner needs to know in one minute, as a headline and a few sentences."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any, Literal

from reconcile.entities import Entity
from reconcile.model import Side
from reconcile.report.along import words as along_words
from reconcile.report.classes import AGREED
from reconcile.report.totals import totals_of

Tone = Literal["good", "ask", "bad", "plain"]

_MOST_NAMED = 5


def many(count: int, word: str, plural: str | None = None) -> str:
    """A count with its noun: 1 contact, 2,000 contacts."""
    return f"{count:,} {word if count == 1 else plural or word + 's'}"


def verdict(whole: Map[str, Any]) -> dict[str, Any]:
    """`code`, `tone`, `headline` and `sentences` for a document that has its figures already."""
    code, tone, headline = _headline(whole)
    sentences = [
        sentence
        for sentence in (
            _unread(whole),
            _not_again(whole),
            _nowhere(whole),
            _done(whole),
            _interrupted(whole),
            _consent(whole),
            _waiting(whole, said=code == "holds"),
            _failed(whole),
            _values(whole),
            _balance(whole),
            _proof(whole),
        )
        if sentence
    ]
    reason = whole["refusal"] or whole["stopped"]
    return {
        "code": code,
        "tone": tone,
        "headline": headline,
        "sentences": ([reason] if reason else []) + sentences,
    }


def total(whole: Map[str, Any], *names: str) -> int:
    """The sum of figures over all entities."""
    return sum(entity[name] for entity in whole["entities"].values() for name in names)


def unread(whole: Map[str, Any]) -> list[Map[str, Any]]:
    """The snapshots of a whole run that are incomplete, or of which single records are missing."""
    snapshots = whole["provenance"]["snapshots"]
    return [
        each
        for each in snapshots
        if each["quarantined"] or (not each["complete"] and not each["partial"])
    ]


def _unread(whole: Map[str, Any]) -> str:
    said = [
        f"{Entity(each['entity']).plural} of {Side(each['side']).label} ({_why(each)})"
        for each in unread(whole)
    ]
    return (
        f"Not read completely: {'; '.join(said)}. Nothing was concluded from what is missing there."
        if said
        else ""
    )


def _consent(whole: Map[str, Any]) -> str:
    """Who may be written to, or not, otherwise than before."""
    counts = whole.get("consent", {}).get("counts", {})
    would = "" if whole["applied"] else "would be "
    said = [
        f"{counts[means]:,} {would}{means}"
        for means in ("opted out", "opted in")
        if means in counts
    ]
    return f"Consent: {', '.join(said)}." if said else ""


def _why(each: Map[str, Any]) -> str:
    """Why a snapshot is not whole, and the first of the records that could not be read."""
    named, more = each["quarantined"][:_MOST_NAMED], len(each["quarantined"]) - _MOST_NAMED
    reasons = [each["why_incomplete"], *named, f"and {more:,} more" if more > 0 else ""]
    return "; ".join(filter(None, reasons))


def _nowhere(whole: Map[str, Any]) -> str:
    named = [
        f"{each['entity']} {each['key']} of {Side(each['side']).label}" for each in whole["nowhere"]
    ]
    more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
    return f"Named, and found nowhere: {', '.join(named[:_MOST_NAMED])}{more}." if named else ""


def _headline(whole: Map[str, Any]) -> tuple[str, Tone, str]:
    state, holds, failed = whole["state"], total(whole, "holds"), total(whole, "failed")
    if state == "refused":
        return "refused", "bad", "Refused: nothing was written"
    if state == "failed":
        return "failed", "bad", "The run failed before it was finished"
    if not whole["statement"]["clean"] or not _adds_up(whole):
        return "unbalanced", "bad", "The statement does not balance"
    if state == "stopped":
        return "stopped", "ask", "Stopped early; the rest follows in the next run"
    if state == "audit":
        return "audit", "plain", "Audit: nothing was written"
    if state == "planned":
        return "planned", "plain", _planned(totals_of(whole)["planned"]["writes"])
    if unread(whole):
        return "unread", "bad", _not_read(unread(whole))
    return _settled(whole, holds, failed)


def _planned(writes: int) -> str:
    return (
        f"Planned: {many(writes, 'write')}, nothing written yet"
        if writes
        else "Planned: there is nothing to write"
    )


def _not_read(parts: list[Map[str, Any]]) -> str:
    words = [f"{Side(each['side']).label}'s {Entity(each['entity']).plural}" for each in parts]
    said = f"{_listed(words)} could not be read completely"
    return said[0].upper() + said[1:]


def _settled(
    whole: Map[str, Any],
    holds: int,
    failed: int,
) -> tuple[str, Tone, str]:
    if failed:
        return "failures", "bad", _not_written(whole, failed)
    if holds:
        return (
            "holds",
            "ask",
            f"{many(holds, 'question')} {'waits' if holds == 1 else 'wait'} for a decision",
        )
    if whole["nowhere"]:
        return (
            "nowhere",
            "ask",
            (
                f"{many(len(whole['nowhere']), 'record')} that "
                f"{'was' if len(whole['nowhere']) == 1 else 'were'} named cannot be found"
            ),
        )
    since = _since(whole)
    if total(whole, "left"):
        but = many(total(whole, "left"), "record")
        return "left", "ask", f"Both sides agree, but for {but}{since}"
    if apart(whole):
        but = many(sum(apart(whole).values()), "value")
        return "apart", "ask", f"Both sides agree, but for {but}{since}"
    where = " in what this run was about" if _partial(whole) else ""
    return "agreed", "good", f"Both sides agree{where}{since}"


def brought(whole: Map[str, Any]) -> list[Map[str, Any]]:
    """The snapshots of which some rows are as an earlier run read them."""
    return [each for each in whole["provenance"]["snapshots"] if each["not_read"]]


def _since(whole: Map[str, Any]) -> str:
    """Since when what this run did not read was not read: of that it agrees as of then alone."""
    said = [
        f"{Entity(each['entity']).counted(each['not_read'])} of {Side(each['side']).label} "
        f"as of {_time(each['as_of'])}"
        for each in brought(whole)
    ]
    return f"; {_listed(said)}" if said else ""


def _not_again(whole: Map[str, Any]) -> str:
    said = []
    for each in brought(whole):
        side, entity = Side(each["side"]).label, Entity(each["entity"])
        said.append(
            f"Of {entity.counted(each['rows'])} in {side}, {each['not_read']:,} were not read "
            f"again since {_time(each['as_of'])}: {side} dates no change of them, and counts as "
            "many as are known."
        )
    return " ".join(said)


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _not_written(whole: Map[str, Any], failed: int) -> str:
    statuses = {
        entry["status"]
        for entry in whole["changes"]
        if entry["status"] in ("rejected", "in_doubt", "skipped")
    }
    if statuses == {"skipped"}:
        return f"{many(failed, 'write')} {'was' if failed == 1 else 'were'} not made"
    return f"{many(failed, 'write')} failed"


def _partial(whole: Map[str, Any]) -> bool:
    """Whether the run looked at some contacts alone."""
    known = [each for each in whole["provenance"]["snapshots"] if Entity(each["entity"]).children]
    return bool(known) and all(each["partial"] for each in known)


def _adds_up(whole: Map[str, Any]) -> bool:
    return all(
        identity["holds"]
        for entity in whole["values"]["entities"]
        for identity in entity["identities"]
    )


def apart(whole: Map[str, Any]) -> dict[str, int]:
    """How many values are in each class that is no agreement, over all entities."""
    counted: dict[str, int] = {}
    for entity in whole["values"]["entities"]:
        for name, count in entity["classes"].items():
            if name not in AGREED:
                counted[name] = counted.get(name, 0) + count
    return counted


def _values(whole: Map[str, Any]) -> str:
    """Every value by its class, where the run came to one."""
    counted: dict[str, int] = {}
    for entity in whole["values"]["entities"]:
        for name, count in entity["classes"].items():
            counted[name] = counted.get(name, 0) + count
    if not counted:
        return ""
    parts = [
        f"{counted[each['name']]:,} {each['label'].lower()}"
        for each in reversed(whole["values"]["classes"])
        if counted.get(each["name"])
    ]
    return f"Of {many(sum(counted.values()), 'value')}: {', '.join(parts)}."


def _done(whole: Map[str, Any]) -> str:
    parts = []
    for name, verb in (("creates", "created"), ("updates", "updated"), ("deletes", "deleted")):
        counts = [
            (entity, figures[name])
            for entity, figures in whole["entities"].items()
            if figures[name] and entity != "tag"
        ]
        if counts:
            parts.append(
                _listed([Entity(entity).counted(count) for entity, count in counts]) + f" {verb}"
            )
            beside = _along(whole) if name == "deletes" else ""
            parts[-1] += f", with {beside}" if beside else ""
    tags = whole["entities"].get("tag", {})
    for name, words in (("creates", "tags added to"), ("deletes", "tags removed from")):
        if tags.get(name):
            parts.append(f"{words} {Entity.TAG.record.counted(tags[name])}")
    if not parts:
        if whole["state"] in ("failed", "stopped") and not whole["applied"]:
            return "It came to no plan: nothing was written to either side."
        return "Nothing had to be changed." if whole["applied"] else ""
    would = "" if whole["applied"] else "Would be done: "
    text = "; ".join(parts) + "."
    return would + text


def _along(whole: Map[str, Any]) -> str:
    """The tasks and notes that go with deleted contacts."""
    along = totals_of(whole)["along"]
    return along_words(along["done" if whole["applied"] else "planned"])


def _interrupted(whole: Map[str, Any]) -> str:
    """What this run settled of runs that were killed: no report of their own told it."""
    parts = [
        f"{many(len(each['changes']), 'write')} of run {each['run_id']}"
        for each in whole["interrupted"]
    ]
    return f"Settled for what was interrupted: {_listed(parts)}." if parts else ""


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _waiting(
    whole: Map[str, Any],
    *,
    said: bool,
) -> str:
    """How many questions wait, unless the headline said so, and since when."""
    holds = whole["holds"]
    if not holds:
        return ""
    oldest = max(hold["age_days"] for hold in holds)
    waits = "waits" if len(holds) == 1 else "wait"
    sentences = [] if said else [f"{many(len(holds), 'question')} {waits} for a decision."]
    # Review counts them apart: nobody can answer what has to be put right where it stands.
    at_source = sum(not hold["options"] for hold in holds)
    if at_source:
        sentences.append(f"{at_source:,} of the questions can only be corrected at the source.")
    if oldest:
        sentences.append(f"The oldest has waited {many(oldest, 'day')}.")
    questions = "it" if len(holds) == 1 else "them"
    if said:
        # Between it and the headline stands what was done.
        questions = "the question" if len(holds) == 1 else "the questions"
    return " ".join([*sentences, f"Nothing else is held up by {questions}."])


def _failed(whole: Map[str, Any]) -> str:
    groups = whole["failures"]
    if not groups:
        return ""
    failed = sum(group["count"] for group in groups)
    reason, _, _ = groups[0]["meaning"].partition(". ")
    return f"{many(failed, 'operation')} did not go as planned. Most often: {reason.rstrip('.')}."


def _balance(whole: Map[str, Any]) -> str:
    state = whole["statement"]
    if not state["entities"]:
        return ""
    if state["clean"]:
        rows = 0
        for entity in state["entities"]:
            rows += sum(side["rows"] for side in entity["sides"])
        return f"All {many(rows, 'record')} that were read are accounted for; unexplained: 0."
    said = f"{many(state['unexplained'], 'record')} not accounted for"
    broken = len(state["broken"])
    if broken:
        said += f"; {many(broken, 'identity', 'identities')} of the statement do not hold"
    return f"{said}. Keep the run's folder and report this."


def _proof(whole: Map[str, Any]) -> str:
    proof = whole["certificate"]
    if proof["mode"] == "replanned":
        left = proof["residual_operations"]
        return (
            "Checked afterwards: "
            f"{'nothing left to sync' if not left else many(left, 'operation') + ' left'}."
        )
    if proof["mode"] == "read_back":
        wrong = len(proof["residuals"])
        return (
            "Every write was read back; "
            f"{'all are as written' if not wrong else many(wrong, 'record') + ' differ'}."
        )
    return ""
