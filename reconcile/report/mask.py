"""Takes personal values out of a document, so that a report can be shown around."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from itertools import chain
from typing import Any

from reconcile.entities import Shown
from reconcile.report.kept import Changes

_DOTS = "•••"
_EMAIL = re.compile(r"[^\s@,;:<>\"']+@[^\s@,;:<>\"']+")
_DIGITS = re.compile(r"\+?\d[\d ().-]{5,}\d")
_PLAIN = ("true", "false")
_QUOTED = re.compile("“([^”]*)”")
_WORDS = re.compile(r"(\[[A-Z_]{3,}\][^:→\n]*): .*?(?= →|$)", re.DOTALL)
"""What stands between what was asked of a side and the remedy: that side's own words."""
_DECIDED = re.compile(r"(^|[:;] )decided by .*", re.DOTALL)


def masked(document: Map[str, Any]) -> dict[str, Any]:
    """The same document with every value of a person masked.

    Keys, counts, rules and reasons stay.
    """
    whole = copy.deepcopy(dict(document))
    _changes(whole)
    for value in whole["values"]["listed"]:
        _value(value)
    for hold in whole["holds"]:
        _hold(hold)
    for group in whole["failures"]:
        _failures(group)
    for record in whole["passed"]["records"]:
        _label(record, record["key"])
        record["because"] = undecided(record["because"])
    for count in whole["passed"]["counts"]:
        count["because"] = undecided(count["because"])
    for twin in whole["quality"].get("twins", ()):
        twin["value"] = mask(twin["value"])
    _suggestions(whole)
    _quality(whole)
    for kind in Shown:
        _agenda(whole.get(kind.plural))
    _consent(whole)
    _undo(whole)
    _approvals(whole)
    _uncite(whole)
    for residual in whole["certificate"]["residuals"]:
        residual["because"] = scrub(undecided(residual["because"]))
    return whole


def _label(members: dict[str, Any], *keys: str | None, name: str = "label") -> None:
    """Mask what a record is called; a record without a name is called by its key, which stays."""
    if members[name] not in keys:
        members[name] = mask(members[name])


def _failures(group: dict[str, Any]) -> None:
    for cause in group["causes"]:
        cause["because"] = wordless(cause["because"])
        cause["records"] = [mask(record) for record in cause["records"]]
    for example in group["examples"]:
        example["label"] = mask(example["label"])
        example["detail"] = wordless(example["detail"])


def _approvals(whole: dict[str, Any]) -> None:
    for approval in whole.get("approvals", ()):
        approval["by"] = "a person"


def mask(value: str | None) -> str | None:
    """Initials and dots; an address keeps its form, a truth value is nobody's."""
    if value is None or value in _PLAIN:
        return value
    if "@" in value and _EMAIL.fullmatch(value):
        name, _, host = value.partition("@")
        return f"{name[:1]}{_DOTS}@{host[:1]}{_DOTS}"
    if _DIGITS.fullmatch(value):
        return f"{_DOTS}{value[-2:]}"
    words = value.split()
    initials = " ".join(word[:1] + _DOTS for word in words[:3])
    return initials + " …" if len(words) > 3 else initials


def scrub(text: str) -> str:
    """A sentence with addresses and numbers of people taken out."""
    without_addresses = _EMAIL.sub(_DOTS, text)
    return _DIGITS.sub(_DOTS, without_addresses)


def uncited(text: str) -> str:
    """A sentence without a side's own words: what was asked of it, the code and the remedy."""
    if not text:
        return text
    return scrub(_WORDS.sub(r"\1", text))


def wordless(detail: str) -> str:
    """An outcome's detail without the words of a side: what was asked of it, and the status."""
    if not detail:
        return detail
    request, _, _ = detail.partition(": ")
    return scrub(request)


def unquoted(text: str) -> str:
    """A reason with the values of people that stand in it, between “ and ”, masked.

    Without any, the reason as it is.
    """
    return _QUOTED.sub(lambda match: f"“{mask(match[1])}”", text)


def undecided(text: str) -> str:
    """A reason without who decided and without their words.

    Nothing tells those words from what may follow, so the reason is cut to its end.
    """
    return _DECIDED.sub(r"\1decided by a person", text)


def _changes(whole: dict[str, Any]) -> None:
    whole["changes"] = _masked(whole["changes"])
    for run in whole["interrupted"]:
        run["changes"] = _masked(run["changes"])


def _masked(changes: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    if isinstance(changes, Changes):
        return changes.changed(_masked_change)
    return [*map(_masked_change, changes)]


def _masked_change(entry: dict[str, Any]) -> dict[str, Any]:
    _change(entry)
    return entry


def _change(entry: dict[str, Any]) -> None:
    _label(entry, entry["app_key"], entry["ghl_key"])
    entry["under"] = mask(entry["under"])
    reason = undecided(entry["because"])
    entry["because"] = _without_tags(reason) if entry["entity"] == "tag" else scrub(reason)
    entry["detail"] = wordless(entry["detail"])
    for part in entry["fields"]:
        _values(part, ("before", "after", "stored"))


def _value(value: dict[str, Any]) -> None:
    _label(value, value["app_key"], value["ghl_key"])
    value["because"] = _reason(value["because"] or "")
    _values(value, ("app", "ghl"))


def _reason(text: str) -> str:
    """A reason without anybody's values: those it quotes, who decided, addresses and numbers."""
    anonymous = undecided(unquoted(text))
    return scrub(anonymous)


def _without_tags(reasons: str) -> str:
    """The reasons of a tag change, each once, without the tags that stand before each."""
    bare = (part.rpartition(": ")[2] for part in reasons.split("; "))
    return "; ".join(dict.fromkeys(bare))


def _suggestions(whole: dict[str, Any]) -> None:
    suggested = whole["quality"].get("suggested") or {}
    for link in suggested.get("links", ()):
        for side in ("app", "ghl"):
            _label(link, link[f"{side}_key"], name=f"{side}_label")


def _quality(whole: dict[str, Any]) -> None:
    """The names of the records that a finding is of; those that are keys stay."""
    lists = [findings for findings in whole["quality"].values() if isinstance(findings, list)]
    for each in chain.from_iterable(lists):
        if "names" in each:
            pairs = zip(each["names"], each["keys"], strict=True)
            each["names"] = [key if name == key else mask(name) for name, key in pairs]


def _agenda(shown: dict[str, Any] | None) -> None:
    if shown is None:
        return
    for row in (*shown["next"], *shown["last"], *shown["unread"]):
        _label(row, row["contact"])
        _values(row, ("title",))
    for row in shown["unread"]:
        row["because"] = wordless(row["because"])
    shown["stopped"] = uncited(shown["stopped"])
    shown["sentences"] = [uncited(sentence) for sentence in shown["sentences"]]


def _uncite(whole: dict[str, Any]) -> None:
    whole["stopped"] = uncited(whole["stopped"])
    verdict = whole["verdict"]
    verdict["sentences"] = [uncited(sentence) for sentence in verdict["sentences"]]
    for snapshot in whole["provenance"]["snapshots"]:
        snapshot["why_incomplete"] = uncited(snapshot["why_incomplete"])
    for alert in whole.get("alerts", ()):
        alert["what"] = uncited(alert["what"])


def _consent(whole: dict[str, Any]) -> None:
    for each in whole.get("consent", {}).get("changes", ()):
        _label(each, each["app_key"], each["ghl_key"])
        each["ground"] = scrub(undecided(each["ground"]))


def _undo(whole: dict[str, Any]) -> None:
    undo = whole.get("undo", {})
    for each in undo.get("left", ()):
        each["because"] = _reason(each["because"])
    if "lost" in undo:
        undo["lost"] = [scrub(unquoted(line)) for line in undo["lost"]]


def _hold(hold: dict[str, Any]) -> None:
    _label(hold, hold["app_key"], hold["ghl_key"])
    hold["because"] = _reason(hold["because"])
    field = hold["field"] or ""
    if field.startswith("tags: "):
        tag = mask(field.removeprefix("tags: "))
        hold["field"] = f"tags: {tag}"
    further = hold["values"].get("kept")
    if isinstance(further, dict):
        _values(further, further)
    _values(hold["values"], ("app", "ghl", "base_app", "base_ghl"))
    for record in (*hold["records"], *hold["candidates"]):
        _label(record, record["key"])
        _values(record["values"], record["values"])


def _values(members: dict[str, Any], names: Iterable[str]) -> None:
    for name in list(names):
        if isinstance(members.get(name), str):
            members[name] = mask(members[name])
