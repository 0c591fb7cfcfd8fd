"""Takes personal values out of a document, so that a report can be shown around."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
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
        record["label"] = (
            mask(record["label"]) if record["label"] != record["key"] else record["key"]
        )
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
    return " ".join(word[:1] + _DOTS for word in words[:3]) + (" …" if len(words) > 3 else "")


def scrub(text: str) -> str:
    """A sentence with addresses and numbers of people taken out."""
    return _DIGITS.sub(_DOTS, _EMAIL.sub(_DOTS, text))


def uncited(text: str) -> str:
    """A sentence without a side's own words: what was asked of it, the code and the remedy."""
    return scrub(_WORDS.sub(r"\1", text)) if text else text


def wordless(detail: str) -> str:
    """An outcome's detail without the words of a side: what was asked of it, and the status."""
    return scrub(detail.partition(": ")[0]) if detail else detail


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
    own_keys = (entry["app_key"], entry["ghl_key"])
    if entry["label"] not in own_keys:
        entry["label"] = mask(entry["label"])
    entry["under"] = mask(entry["under"])
    entry["because"] = undecided(entry["because"])
    entry["because"] = _without_tags(entry) if entry["entity"] == "tag" else scrub(entry["because"])
    entry["detail"] = wordless(entry["detail"])
    for part in entry["fields"]:
        _values(part, ("before", "after", "stored"))


def _value(value: dict[str, Any]) -> None:
    own_keys = (value["app_key"], value["ghl_key"])
    if value["label"] not in own_keys:
        value["label"] = mask(value["label"])
    value["because"] = scrub(undecided(unquoted(value["because"] or "")))
    _values(value, ("app", "ghl"))


def _without_tags(entry: Map[str, Any]) -> str:
    """The reasons of a tag change, without the tags that stand before each."""
    reasons = (part.rpartition(": ")[2] for part in str(entry["because"]).split("; "))
    return "; ".join(dict.fromkeys(reasons))


def _suggestions(whole: dict[str, Any]) -> None:
    for link in (whole["quality"].get("suggested") or {}).get("links", ()):
        for side in ("app", "ghl"):
            link[f"{side}_label"] = (
                mask(link[f"{side}_label"])
                if link[f"{side}_label"] != link[f"{side}_key"]
                else link[f"{side}_key"]
            )


def _quality(whole: dict[str, Any]) -> None:
    """The names of the records that a finding is of; those that are keys stay."""
    for findings in whole["quality"].values():
        for each in findings if isinstance(findings, list) else ():
            if "names" in each:
                pairs = zip(each["names"], each["keys"], strict=True)
                each["names"] = [key if name == key else mask(name) for name, key in pairs]


def _agenda(shown: dict[str, Any] | None) -> None:
    if shown is None:
        return
    for row in (*shown["next"], *shown["last"], *shown["unread"]):
        row["label"] = mask(row["label"]) if row["label"] != row["contact"] else row["label"]
        _values(row, ("title",))
    for row in shown["unread"]:
        row["because"] = wordless(row["because"])
    shown["stopped"] = uncited(shown["stopped"])
    shown["sentences"] = [uncited(sentence) for sentence in shown["sentences"]]


def _uncite(whole: dict[str, Any]) -> None:
    whole["stopped"] = uncited(whole["stopped"])
    whole["verdict"]["sentences"] = [
        uncited(sentence) for sentence in whole["verdict"]["sentences"]
    ]
    for snapshot in whole["provenance"]["snapshots"]:
        snapshot["why_incomplete"] = uncited(snapshot["why_incomplete"])
    for alert in whole.get("alerts", ()):
        alert["what"] = uncited(alert["what"])


def _consent(whole: dict[str, Any]) -> None:
    for each in whole.get("consent", {}).get("changes", ()):
        if each["label"] not in (each["app_key"], each["ghl_key"]):
            each["label"] = mask(each["label"])
        each["ground"] = scrub(undecided(each["ground"]))


def _undo(whole: dict[str, Any]) -> None:
    undo = whole.get("undo", {})
    for each in undo.get("left", ()):
        each["because"] = scrub(undecided(unquoted(each["because"])))
    if "lost" in undo:
        undo["lost"] = [scrub(unquoted(line)) for line in undo["lost"]]


def _hold(hold: dict[str, Any]) -> None:
    hold["label"] = (
        mask(hold["label"])
        if hold["label"] not in (hold["app_key"], hold["ghl_key"])
        else hold["label"]
    )
    hold["because"] = scrub(undecided(unquoted(hold["because"])))
    if (hold["field"] or "").startswith("tags: "):
        hold["field"] = "tags: " + str(mask(hold["field"].removeprefix("tags: ")))
    further = hold["values"].get("kept")
    if isinstance(further, dict):
        _values(further, further)
    _values(hold["values"], ("app", "ghl", "base_app", "base_ghl"))
    for record in (*hold["records"], *hold["candidates"]):
        record["label"] = (
            mask(record["label"]) if record["label"] != record["key"] else record["label"]
        )
        _values(record["values"], record["values"])


def _values(members: dict[str, Any], names: Iterable[str]) -> None:
    for name in list(names):
        if isinstance(members.get(name), str):
            members[name] = mask(members[name])
