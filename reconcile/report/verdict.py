"""The verdict: what an owner needs to know in one minute, as a headline and a few sentences."""

from __future__ import annotations

from collections.abc import Iterator
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
    noun = word if count == 1 else plural or word + "s"
    return f"{count:,} {noun}"


def by_count(count: int, one: str, several: str) -> str:
    """The form of a verb that goes with a count: 1 question waits, 2 questions wait."""
    return one if count == 1 else several


def verdict(whole: Map[str, Any]) -> dict[str, Any]:
    """`code`, `tone`, `headline` and `sentences` for a document that has its figures already."""
    code, tone, headline = _headline(whole)
    # What limits all that follows comes first: why it ended, what was not read.
    sentences = (
        whole["refusal"] or whole["stopped"],
        _unread(whole),
        _not_again(whole),
        _nowhere(whole),
        _over(whole),
        _done(whole),
        _interrupted(whole),
        _consent(whole),
        _waiting(whole, said=code == "holds"),
        _watched(whole),
        _failed(whole),
        _values(whole),
        _balance(whole),
        _proof(whole),
    )
    return {
        "code": code,
        "tone": tone,
        "headline": headline,
        "sentences": [sentence for sentence in sentences if sentence],
    }


def total(whole: Map[str, Any], *names: str) -> int:
    """The sum of figures over all entities."""
    return sum(entity[name] for entity in whole["entities"].values() for name in names)


def unread(whole: Map[str, Any]) -> list[Map[str, Any]]:
    """The snapshots of a whole run that are incomplete, or of which single records are missing."""
    parts = []
    for each in whole["provenance"]["snapshots"]:
        broken_off = not each["complete"] and not each["partial"]
        if each["quarantined"] or broken_off:
            parts.append(each)
    return parts


def _unread(whole: Map[str, Any]) -> str:
    said = []
    for each in unread(whole):
        entity, side = Entity(each["entity"]), Side(each["side"])
        said.append(f"{entity.plural} of {side.label} ({_why(each)})")
    if not said:
        return ""
    parts = "; ".join(said)
    return f"Not read completely: {parts}. Nothing was concluded from what is missing there."


def _consent(whole: Map[str, Any]) -> str:
    """Who may be written to, or not, otherwise than before."""
    counts = whole.get("consent", {}).get("counts", {})
    would = "" if whole["applied"] else "would be "
    turned = [means for means in ("opted out", "opted in") if means in counts]
    said = [f"{counts[means]:,} {would}{means}" for means in turned]
    if not said:
        return ""
    return f"Consent: {', '.join(said)}."


def _why(each: Map[str, Any]) -> str:
    """Why a snapshot is not whole, and the first of the records that could not be read."""
    reasons = [each["why_incomplete"], *each["quarantined"][:_MOST_NAMED]]
    more = len(each["quarantined"]) - _MOST_NAMED
    if more > 0:
        reasons.append(f"and {more:,} more")
    return "; ".join(filter(None, reasons))


def _nowhere(whole: Map[str, Any]) -> str:
    if not whole["nowhere"]:
        return ""
    named = []
    for each in whole["nowhere"][:_MOST_NAMED]:
        side = Side(each["side"])
        named.append(f"{each['entity']} {each['key']} of {side.label}")
    said = f"Named, and found nowhere: {', '.join(named)}"
    more = len(whole["nowhere"]) - _MOST_NAMED
    if more > 0:
        said += f" and {more:,} more"
    return f"{said}."


def _headline(whole: Map[str, Any]) -> tuple[str, Tone, str]:
    state = whole["state"]
    if state == "refused":
        return "refused", "bad", "Refused: nothing was written"
    if state == "failed":
        return "failed", "bad", "The run failed before it was finished"
    # Before all that sounds like success: figures that do not add up prove nothing.
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
    return _settled(whole)


def _planned(writes: int) -> str:
    if writes:
        return f"Planned: {many(writes, 'write')}, nothing written yet"
    return "Planned: there is nothing to write"


def _not_read(parts: list[Map[str, Any]]) -> str:
    words = [f"{Side(each['side']).label}'s {Entity(each['entity']).plural}" for each in parts]
    said = f"{_listed(words)} could not be read completely"
    return said[0].upper() + said[1:]


def _settled(whole: Map[str, Any]) -> tuple[str, Tone, str]:
    """The headline of a run that came to its end, the worst first."""
    failed, holds = total(whole, "failed"), total(whole, "holds")
    if failed:
        return "failures", "bad", _not_written(whole, failed)
    if holds:
        wait = by_count(holds, "waits", "wait")
        return "holds", "ask", f"{many(holds, 'question')} {wait} for a decision"
    nowhere = len(whole["nowhere"])
    if nowhere:
        were = by_count(nowhere, "was", "were")
        return "nowhere", "ask", f"{many(nowhere, 'record')} that {were} named cannot be found"
    since = _since(whole)
    left = total(whole, "left")
    if left:
        return "left", "ask", f"Both sides agree, but for {many(left, 'record')}{since}"
    differing = sum(apart(whole).values())
    if differing:
        return "apart", "ask", f"Both sides agree, but for {many(differing, 'value')}{since}"
    where = " in what this run was about" if _partial(whole) else ""
    return "agreed", "good", f"Both sides agree{where}{since}"


def brought(whole: Map[str, Any]) -> list[Map[str, Any]]:
    """The snapshots of which some rows are as an earlier run read them."""
    return [each for each in whole["provenance"]["snapshots"] if each["not_read"]]


def _since(whole: Map[str, Any]) -> str:
    """Since when what this run did not read was not read: of that it agrees as of then alone."""
    said = []
    for each in brought(whole):
        counted = Entity(each["entity"]).counted(each["not_read"])
        side = Side(each["side"])
        said.append(f"{counted} of {side.label} as of {_time(each['as_of'])}")
    if not said:
        return ""
    return f"; {_listed(said)}"


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
    statuses = {entry["status"] for entry in whole["changes"]}
    if statuses & {"rejected", "in_doubt", "skipped"} == {"skipped"}:
        return f"{many(failed, 'write')} {by_count(failed, 'was', 'were')} not made"
    return f"{many(failed, 'write')} failed"


def _partial(whole: Map[str, Any]) -> bool:
    """Whether the run looked at some contacts alone."""
    known = [each for each in whole["provenance"]["snapshots"] if Entity(each["entity"]).children]
    return bool(known) and all(each["partial"] for each in known)


def _adds_up(whole: Map[str, Any]) -> bool:
    entities = whole["values"]["entities"]
    return all(identity["holds"] for entity in entities for identity in entity["identities"])


def apart(whole: Map[str, Any]) -> dict[str, int]:
    """How many values are in each class that is no agreement, over all entities."""
    counted = _counted_values(whole)
    return {name: count for name, count in counted.items() if name not in AGREED}


def _counted_values(whole: Map[str, Any]) -> dict[str, int]:
    """How many values are in each class, over all entities."""
    counted: dict[str, int] = {}
    for entity in whole["values"]["entities"]:
        for name, count in entity["classes"].items():
            counted[name] = counted.get(name, 0) + count
    return counted


def _values(whole: Map[str, Any]) -> str:
    """Every value by its class, where the run came to one."""
    counted = _counted_values(whole)
    if not counted:
        return ""
    parts = []
    for each in reversed(whole["values"]["classes"]):
        count = counted.get(each["name"])
        if count:
            parts.append(f"{count:,} {each['label'].lower()}")
    return f"Of {many(sum(counted.values()), 'value')}: {', '.join(parts)}."


def _done(whole: Map[str, Any]) -> str:
    parts = list(_done_parts(whole))
    if not parts:
        return _nothing_done(whole)
    would = "" if whole["applied"] else "Would be done: "
    return f"{would}{'; '.join(parts)}."


def _done_parts(whole: Map[str, Any]) -> Iterator[str]:
    """What was done with records, and with contacts' tags."""
    figures = whole["entities"]
    for name, done in (("creates", "created"), ("updates", "updated"), ("deletes", "deleted")):
        counts = {entity: row[name] for entity, row in figures.items() if entity != "tag"}
        nouns = [Entity(entity).counted(count) for entity, count in counts.items() if count]
        if not nouns:
            continue
        part = f"{_listed(nouns)} {done}"
        if name == "deletes":
            beside = _along(whole)
            part += f", with {beside}" if beside else ""
        yield part
    tags = figures.get("tag", {})
    for name, words in (("creates", "tags added to"), ("deletes", "tags removed from")):
        if tags.get(name):
            yield f"{words} {Entity.TAG.record.counted(tags[name])}"


def _over(whole: Map[str, Any]) -> str:
    """The limits that stand in the way of a plan; of a refused run its refusal says it."""
    limits = whole.get("limits") or ()
    if whole["state"] != "planned" or not limits:
        return ""
    flags = dict.fromkeys(f"--allow {limit['name']}" for limit in limits)
    return (
        f"It goes over {many(len(limits), 'limit')} of the pair file, so it is refused "
        f"without {_listed(list(flags))}."
    )


def _nothing_done(whole: Map[str, Any]) -> str:
    if whole["applied"] and totals_of(whole)["planned"]["writes"]:
        return "Nothing was changed."
    if whole["applied"]:
        return "Nothing had to be changed."
    if whole["state"] in ("failed", "stopped"):
        return "It came to no plan: nothing was written to either side."
    return ""


def _along(whole: Map[str, Any]) -> str:
    """The tasks and notes that go with deleted contacts."""
    along = totals_of(whole)["along"]
    return along_words(along["done" if whole["applied"] else "planned"])


def _interrupted(whole: Map[str, Any]) -> str:
    """What this run settled of runs that were killed: no report of their own told it."""
    parts = []
    for each in whole["interrupted"]:
        writes = many(len(each["changes"]), "write")
        parts.append(f"{writes} of run {each['run_id']}")
    if not parts:
        return ""
    return f"Settled for what was interrupted: {_listed(parts)}."


def _listed(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _waiting(whole: Map[str, Any], *, said: bool) -> str:
    """How many questions wait, unless the headline said so, and since when."""
    holds = whole["holds"]
    if not holds:
        return ""
    count = len(holds)
    sentences = []
    if not said:
        wait = by_count(count, "waits", "wait")
        sentences.append(f"{many(count, 'question')} {wait} for a decision.")
    # Review counts them apart: nobody can answer what has to be put right where it stands.
    at_source = sum(not hold["options"] for hold in holds)
    if at_source:
        sentences.append(f"{at_source:,} of the questions can only be corrected at the source.")
    oldest = max(hold["age_days"] for hold in holds)
    if oldest:
        sentences.append(f"The oldest has waited {many(oldest, 'day')}.")
    questions = "it" if count == 1 else "them"
    if said:
        # Between it and the headline stands what was done.
        questions = "the question" if count == 1 else "the questions"
    sentences.append(f"Nothing else is held up by {questions}.")
    return " ".join(sentences)


def _watched(whole: Map[str, Any]) -> str:
    """What one side lacks by now, and nothing is concluded of yet."""
    parts = []
    for each in whole["statement"]["entities"]:
        count = sum(side["aside"].get("quarantined", 0) for side in each["sides"])
        if count:
            parts.append(Entity(each["entity"]).counted(count))
    if not parts:
        return ""
    them = "it" if parts[0].startswith("1 ") and len(parts) == 1 else "them"
    return (
        f"Missing on one side: {_listed(parts)}; that counts as deleted once enough complete runs "
        f"in a row have missed {them}."
    )


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
        if left:
            return f"Checked afterwards: {many(left, 'operation')} left."
        return "Checked afterwards: nothing left to sync."
    if proof["mode"] == "read_back":
        wrong = len(proof["residuals"])
        if wrong:
            return f"Every write was read back; {many(wrong, 'record')} differ."
        return "Every write was read back; all are as written."
    return ""
