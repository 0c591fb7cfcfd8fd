"""Arranges the state of the records for the page: one card for each kind of finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Map
from typing import Any

_PLACES = {
    "app": "the app",
    "ghl": "GHL",
}
_LINES = 8  # lines a card shows

Found = Map[str, Any]


def looked(document: Map[str, Any]) -> str:
    """Which records the findings are of."""
    if document["state"] == "audit":
        return "Every record was looked at."
    return (
        "Of the records that were looked at in this run: those that moved, "
        "and those without a counterpart. An audit looks at all of them."
    )


def cards(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """A title and lines for each kind of finding that there is."""
    quality = document["quality"]
    if not quality:
        return
    for name, (title, line) in _CARDS.items():
        findings = quality.get(name, ())
        # That all compared values of a field agree is no finding.
        if name == "agreement":
            findings = [each for each in findings if each["equal"] < each["compared"]]
        if findings:
            yield {"title": title, "lines": [line(each) for each in findings[:_LINES]]}
    suggested = quality.get("suggested")
    if suggested and (suggested["links"] or suggested["why_not"]):
        yield {"title": "Suggested links", "lines": list(_suggestions(suggested))}
    reasons = document["passed"]["counts"]
    if reasons:
        lines = [_fact(f"{_of(each)}: {each['because']}", each["count"]) for each in reasons]
        yield {"title": "Left out, by reason", "lines": lines[:_LINES]}
    if quality["notes_oldest"]:
        yield {"title": "Notes", "lines": list(_notes(quality))}


def _notes(quality: Found) -> Iterator[dict[str, Any]]:
    """How old what is known of notes is: they are read within a budget."""
    day = quality["notes_oldest"][:10]
    since = f"the notes of every contact that was ever read were read since {day}"
    yield _fact(since, quality["notes_covered"], "contacts in this run")
    never = quality.get("notes_never")
    if never:
        yield _fact("contacts whose notes no run has read yet", never)


def _suggestions(suggested: Found) -> Iterator[dict[str, Any]]:
    """The surest suggestions with their evidence, or why there are none."""
    if suggested["why_not"]:
        why_not = suggested["why_not"]
        said = f"Records that are probably one, though no match rule says so, were {why_not}"
        yield _fact(said, None)
    for each in suggested["links"][:_LINES]:
        app = f"{each['app_label']} ({each['app_key']})"
        ghl = f"{each['ghl_label']} ({each['ghl_key']})"
        how = []
        for part in each["evidence"]:
            field = part["field"].replace("_", " ")
            how.append(f"{field} {part['how']}")
        # No score makes it certain: a person decides.
        probability = min(each["probability"], 0.999)
        yield _fact(f"{app} and {ghl}", f"{probability:.1%}", "; ".join(how))
    if suggested["count"] > _LINES:
        yield _fact("all of them are among the questions", suggested["count"])


def _fact(
    text: str,
    value: int | str | None,
    detail: str = "",
) -> dict[str, Any]:
    return {
        "text": text,
        "value": f"{value:,}" if isinstance(value, int) else value,
        "detail": detail,
    }


def _of(each: Found) -> str:
    return f"{each['entity']}s in {_PLACES[each['side']]}"


def _keys(each: Found) -> str:
    """The first of the records by name; one without a name by its key."""
    shown = each.get("names") or each["keys"]
    listed = ", ".join(shown[:3])
    return listed + ", …" if each["count"] > 3 else listed


def _invalid(each: Found) -> dict[str, Any]:
    said = f"{_of(each)}: {each['field']} is {each['why']}"
    return _fact(said, each["count"], _keys(each))


def _missing(each: Found) -> dict[str, Any]:
    return _fact(f"{_of(each)} without {each['field']}", each["count"])


def _twin(each: Found) -> dict[str, Any]:
    said = f"{_of(each)} with {each['field']} {each['value']}"
    return _fact(said, each["count"], _keys(each))


def _orphan(each: Found) -> dict[str, Any]:
    return _fact(_of(each), each["count"], _keys(each))


def _overdue(each: Found) -> dict[str, Any]:
    said = f"tasks in {_PLACES[each['side']]}, over {each['days']} days"
    return _fact(said, each["count"], _keys(each))


def _rule(each: Found) -> dict[str, Any]:
    doubt = f"{each['in_doubt']:,} in doubt" if each["in_doubt"] else ""
    return _fact(f"{each['entity']}s by {each['rule']}", each["linked"], doubt)


def _agreed(each: Found) -> dict[str, Any]:
    share = each["equal"] / each["compared"]
    return _fact(f"{each['entity']} {each['field']}", f"{share:.1%}", f"of {each['compared']:,}")


def _tag(each: Found) -> dict[str, Any]:
    return _fact(each["tag"], f"{each['app']:,} · {each['ghl']:,}")


def _similar(each: Found) -> dict[str, Any]:
    uses, uses_of_like = each["uses"]
    return _fact(f"{each['tag']} and {each['like']}", f"{uses:,} · {uses_of_like:,}")


def _new_tag(each: Found) -> dict[str, Any]:
    return _fact(each["tag"], each["contacts"])


_CARDS: dict[str, tuple[str, Callable[[Found], dict[str, Any]]]] = {
    "invalid": ("Values that are not well-formed", _invalid),
    "missing": ("Missing", _missing),
    "twins": ("Twins within a side", _twin),
    "orphans": ("Without a contact", _orphan),
    "overdue_tasks": ("Open and overdue", _overdue),
    "match_rules": ("New links by rule", _rule),
    "agreement": ("Agreement of the compared pairs", _agreed),
    "tags": ("Tags most used", _tag),
    "similar_tags": ("Tags that may be one", _similar),
    "new_tags": ("Tags that no contact of GHL has yet", _new_tag),
}
