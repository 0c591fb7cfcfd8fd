"""The report in Markdown, short enough for an orchestrator's page or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from itertools import islice
from typing import Any

from reconcile.entities import Shown
from reconcile.model import Side
from reconcile.report.classes import BY_RULE
from reconcile.report.totals import COUNTED, totals_of, verb
from reconcile.report.verdict import apart as differing
from reconcile.report.verdict import many

_MARKS = {"good": "✅", "ask": "🟡", "bad": "❌", "plain": "📄"}
_MOST = 50  # holds and changes listed
_NONE, _MINUS = "–", "−"  # noqa: RUF001 - a dash and a minus as people set them
_FIGURES = (
    ("creates", "creates"),
    ("updates", "updates"),
    ("deletes", "deletes"),
    ("linked", "links"),
    ("conflicts", "conflicts"),
    ("holds", "questions"),
    ("failed", "failed"),
    ("left", "left"),
    ("requests", "requests"),
    ("estimate", "estimated"),
    ("residual_operations", "still to do"),
)


def markdown(document: Map[str, Any]) -> str:
    """The report of `document` as Markdown."""
    parts = [
        _head,
        _figures,
        _undo,
        _consent,
        _statement,
        _values,
        _holds,
        _failures,
        _changes,
        _interrupted,
        _agendas,
        _costs,
        _provenance,
    ]
    texts = ["\n".join(part(document)) for part in parts]
    return "\n\n".join(text for text in texts if text) + "\n"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1
) -> Iterator[str]:
    """A Markdown table; all but the first `left` columns are numbers."""
    rules = ["---"] * left + ["---:"] * (len(heads) - left)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "|".join(rules) + "|"
    for row in rows:
        cells = " | ".join(_cell(value) for value in row)
        yield f"| {cells} |"


def _cell(value: object) -> str:
    if value is None:
        return _NONE
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    one_line = re.sub(r"[\r\n\u2028\u2029]+", " ", text)
    # A closing bracket makes a link or a picture only with what follows it.
    return re.sub(r"\](?=\s*[\[(:])", r"\\]", one_line)


def _said(value: object) -> str:
    """Text that others wrote, without what would end or begin code in it.

    A backslash does nothing within code.
    """
    if value is None:
        return _NONE
    return str(value).replace("`", "'")


def _head(document: Map[str, Any]) -> Iterator[str]:
    verdict = document["verdict"]
    yield f"# {_MARKS[verdict['tone']]} {verdict['headline']}"
    yield ""
    when = document["started_at"]
    if document["seconds"] is not None:
        when += f" · {document['seconds']:g} s"
    pair = _cell(document["pair"])
    yield f"Pair **{pair}** · {document['job']} run `{document['run_id']}` · {when}"
    for sentence in verdict["sentences"]:
        yield ""
        yield _cell(sentence)
    for alert in document.get("alerts", ()):
        yield ""
        yield f"**{alert['severity']}**: {_cell(alert['what'])}"


def _figures(document: Map[str, Any]) -> Iterator[str]:
    whole = totals_of(document)
    counts = {
        "writes planned": whole["planned"]["writes"],
        "done": whole["done"]["writes"],
        "failed": whole["failed"],
        "questions": whole["questions"],
    }
    yield " · ".join(f"{name} **{count:,}**" for name, count in counts.items())
    heads = [""]
    for _, label in _FIGURES:
        heads.append(verb(document, label) if label in COUNTED else label)
    names = [name for name, _ in _FIGURES]
    rows = []
    for entity, figures in document["entities"].items():
        rows.append([entity, *(figures[name] for name in names)])
    if rows:
        yield ""
        yield from table(heads, rows)


def _undo(document: Map[str, Any]) -> Iterator[str]:
    undo = document.get("undo")
    if not undo or not (undo["left"] or undo["lost"]):
        return
    yield "## What is not undone"
    yield ""
    for each in undo["left"][:_MOST]:
        key, because = _cell(_said(each["key"])), _cell(each["because"])
        place = Side(each["side"]).label
        yield f"- {each['entity']} `{key}` in {place} stays as it is: {because}"
    if len(undo["left"]) > _MOST:
        yield f"- and {len(undo['left']) - _MOST:,} more"
    for lost in undo["lost"]:
        yield f"- nothing brings back: {_cell(lost)}"


def _consent(document: Map[str, Any]) -> Iterator[str]:
    consent = document.get("consent")
    if not consent or not consent["changes"]:
        return
    yield "## Consent"
    yield ""
    yield " · ".join(f"{means} **{count:,}**" for means, count in consent["counts"].items())
    yield ""
    shown = consent["changes"][:_MOST]
    heads = ["who", "field", "in", "was", "is", "why"]
    yield from table(heads, [_consent_row(each) for each in shown], left=len(heads))
    if len(consent["changes"]) > _MOST:
        yield ""
        yield f"and {len(consent['changes']) - _MOST:,} more"


def _consent_row(each: Map[str, Any]) -> list[object]:
    place = "GHL" if each["side"] == "ghl" else "app"
    was, now = each["before"], each["after"]
    return [each["label"], each["field"], place, was, now, each["ground"]]


def _statement(document: Map[str, Any]) -> Iterator[str]:
    state = document["statement"]
    if not state["entities"]:
        return
    labels = {each["name"]: each["label"] for each in state["classes"]}
    yield "## Statement"
    yield ""
    heads = [""]
    accounts = []
    for entity in state["entities"]:
        for side in entity["sides"]:
            heads.append(f"{entity['entity']}, {side['side']}")
            accounts.append(side)
    yield from table(heads, list(_balance(labels, accounts)))
    yield ""
    yield from _classes(labels, accounts, heads)
    for identity in state["broken"]:
        yield (
            f"\n**Does not hold:** {_cell(identity['says'])}: "
            f"{identity['left']:,} is not {identity['right']:,}"
        )


def _balance(labels: Map[str, str], accounts: Sequence[Map[str, Any]]) -> Iterator[list[object]]:
    """What leads from the records read to the linked pairs, a column for each side of an entity."""
    adjustments: list[list[object]] = [
        ["± corrected by a look at the record", *(each["corrected"] for each in accounts)]
    ]
    for name, label in labels.items():
        without = [-each["aside"].get(name, 0) for each in accounts]
        adjustments.append([f"{_MINUS} {label.lower()}, no counterpart", *without])
    for name, label in (
        ("created", "+ created here"),
        ("met", "+ found while writing"),
        ("unread", "+ linked, not read in this run"),
    ):
        adjustments.append([label, *(each[name] for each in accounts)])
    yield ["Records read", *(each["read"] for each in accounts)]
    yield from (row for row in adjustments if any(row[1:]))
    yield ["**= linked pairs**", *(f"**{each['adjusted']:,}**" for each in accounts)]
    yield ["unexplained", *(each["unexplained"] for each in accounts)]


def _classes(
    labels: Map[str, str], accounts: Sequence[Map[str, Any]], heads: Sequence[str]
) -> Iterator[str]:
    """Every record in one class."""
    rows = []
    for name, label in labels.items():
        if any(name in each["classes"] for each in accounts):
            rows.append([label, *(each["classes"].get(name, 0) for each in accounts)])
    yield from table(["every record is in one class", *heads[1:]], rows)


def _values(document: Map[str, Any]) -> Iterator[str]:
    """Every value in one class, and those of which it cannot be said that both sides agree."""
    values = document["values"]
    if not values["entities"]:
        return
    yield "## Values"
    yield ""
    labels = {each["name"]: each["label"] for each in values["classes"]}
    occurring = {name for each in values["entities"] for name in each["classes"]}
    used = [name for name in reversed(labels) if name in occurring]
    rows = []
    for each in values["entities"]:
        counts = [each["classes"].get(name, 0) for name in used]
        rows.append([each["entity"], *counts, each["total"]])
    heads = ["every value is in one class", *(labels[name].lower() for name in used), "all"]
    yield from table(heads, rows)
    apart = [each for each in values["listed"] if each["class"] != BY_RULE]
    if not apart:
        return
    yield ""
    heads = ["record", "field", "value is", "the app", "GHL", "because"]
    yield from table(heads, [_value(each, labels) for each in apart[:_MOST]], left=len(heads))
    more = sum(differing(document).values()) - _MOST
    if more > 0:
        yield f"\n… and {more:,} more; report.json has the first 5,000."


def _value(each: Map[str, Any], labels: Map[str, str]) -> list[object]:
    return [
        _said(each["label"]),
        each["field"] or "all",
        labels[each["class"]],
        *_ends(each),
        _said(each["because"]),
    ]


def _holds(document: Map[str, Any]) -> Iterator[str]:
    holds = document["holds"]
    if not holds:
        return
    yield f"## {many(len(holds), 'decision')} needed"
    yield ""
    heads = ["id", "record", "question", "the app", "GHL", "choices", "days"]
    yield from table(heads, [_hold(hold) for hold in holds[:_MOST]], left=6)
    if len(holds) > _MOST:
        yield f"\n… and {len(holds) - _MOST:,} more in the full report."


def _hold(hold: Map[str, Any]) -> list[object]:
    # Of a conflict the values are compared; of all else it matters which records they are.
    shown = hold["values"]
    if hold["kind"] != "conflict":
        shown = {end["side"]: end["label"] for end in reversed(hold["records"])}
    record = f"{hold['entity']} {_said(hold['label'])}"
    if hold["field"]:
        record += _said(f" · {hold['field']}")
    return [
        f"`{hold['hold_id']}`",
        record,
        _said(hold["because"]),
        *(_said(shown.get(side.value)) for side in Side),
        ", ".join(option["choice"] for option in hold["options"]),
        hold["age_days"],
    ]


def _failures(document: Map[str, Any]) -> Iterator[str]:
    groups = document["failures"]
    if not groups:
        return
    yield "## What did not go as planned"
    yield ""
    rows = []
    for group in groups:
        known = [group["code"], group["meaning"], group["remedy"]]
        rows += [[*known, _cause(cause), cause["count"]] for cause in group["causes"]]
    yield from table(["code", "what it means", "what to do", "why", "how many"], rows, left=4)


def _cause(cause: Map[str, Any]) -> str:
    """One cause, with the first of the records that it kept from being written."""
    records = ", ".join(cause["records"])
    words = f"{cause['kind']} {cause['entity']} {records}"
    if cause["count"] > len(cause["records"]):
        words += " …"
    if cause["because"]:
        words += f": {cause['because']}"
    return _said(words)


def _changes(document: Map[str, Any]) -> Iterator[str]:
    of_either = (entry for entry in document["changes"] if entry["kind"] not in ("adopt", "forget"))
    written = list(islice(of_either, _MOST))
    if not written:
        return
    more = sum(1 for _ in of_either)
    yield "## What changed" if document["applied"] else "## What would change"
    yield ""
    heads = ["what", "", "in", "record", "fields", "because", "outcome"]
    yield from table(heads, [_change(entry) for entry in written], left=len(heads))
    if more:
        yield f"\n… and {more:,} more in the full report."


def _change(entry: Map[str, Any]) -> list[object]:
    return [
        entry["kind"].replace("_", " "),
        entry["entity"],
        entry["side"],
        _said(entry["label"]),
        _said(_fields(entry)),
        _said(entry["because"]),
        entry["status"],
    ]


def _fields(entry: Map[str, Any]) -> str:
    if entry["kind"] in ("create", "delete", "archive"):
        return many(len(entry["fields"]), "field")
    return _parts(entry, blank="∅")


def _parts(entry: Map[str, Any], *, blank: str) -> str:
    """Each field of a change, before and after."""
    parts = []
    for part in entry["fields"]:
        before, after = part["before"] or blank, part["after"] or blank
        parts.append(f"{part['field']}: {before} → {after}")
    return "; ".join(parts)


def _ends(value: Map[str, Any]) -> list[str]:
    return [_said(value[side.value]) for side in Side]


def _agendas(document: Map[str, Any]) -> Iterator[str]:
    """What is only shown; nothing where a report of an earlier version does not say."""
    for kind in Shown:
        shown = document.get(kind.plural)
        if shown:
            yield from _agenda(kind, shown)


def _agenda(kind: Shown, shown: Map[str, Any]) -> Iterator[str]:
    yield f"## {kind.plural.capitalize()}"
    yield ""
    yield _cell(" ".join(shown["sentences"]))
    if shown["known_contacts"]:
        yield ""
        counts = [
            ("to come", shown["upcoming"]),
            ("past", shown["past"]),
            ("at an unreadable time", shown["unreadable"]),
        ]
        counts += [(f"status {_said(name)}", count) for name, count in shown["by_status"].items()]
        yield from table([kind.plural, "how many"], counts)
    if shown["next"]:
        yield ""
        heads = ["next", "contact", "title", "status", "last before", "as of"]
        yield from table(heads, [_event(each) for each in shown["next"]], left=len(heads))


def _event(each: Map[str, Any]) -> list[object]:
    return [
        local(each["local"]),
        _said(each["label"]),
        _said(each["title"]),
        _said(each["status"]),
        local(each["last"]),
        local(each["as_of"]),
    ]


def local(text: str | None) -> str | None:
    """A moment as the clock on that wall showed it, without its offset."""
    return text and text[:16].replace("T", " ")


def _interrupted(document: Map[str, Any]) -> Iterator[str]:
    """What runs that were killed had written."""
    for run in document["interrupted"]:
        yield f"## Written by run {run['run_id']}, which was interrupted"
        yield ""
        heads = ["record", "what", "side", "fields", "because"]
        rows = [_written(entry) for entry in run["changes"][:_MOST]]
        yield from table(heads, rows, left=len(heads))
        more = len(run["changes"]) - _MOST
        if more > 0:
            yield f"\n… and {more:,} more in the full report."


def _written(entry: Map[str, Any]) -> list[object]:
    return [
        _said(entry["label"]),
        entry["kind"],
        entry["side"],
        _said(_parts(entry, blank=_NONE)),
        _said(entry["because"]),
    ]


def _costs(document: Map[str, Any]) -> Iterator[str]:
    metered = {side: used for side, used in document["usage"].items() if used["metered"]}
    if not metered:
        return
    yield "## Requests"
    yield ""
    columns = {
        "requests": "requests",
        "reading": "reading",
        "writing": "writing",
        "estimate": "writing, estimated",
        "answers_429": "refused (429)",
        "remaining_today": "left today",
    }
    rows = []
    for side, used in metered.items():
        rows.append([side, *(used[name] for name in columns)])
    yield from table(["", *columns.values()], rows)


def _provenance(document: Map[str, Any]) -> Iterator[str]:
    provenance = document["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    yield (
        f"Plan `{provenance['plan_digest'] or _NONE}` "
        f"· configuration `{provenance['config_digest'] or _NONE}` "
        f"· mapping `{provenance['mapping_digest']}` · {versions or 'versions unknown'}"
    )
    for snapshot in provenance["snapshots"]:
        records = f"{snapshot['side']} {snapshot['entity']}s"
        if snapshot.get("not_read"):
            yield (
                f"\n{records}: {snapshot['not_read']} of {snapshot['rows']} "
                f"were not read again since {snapshot['as_of']}"
            )
        if not snapshot["complete"]:
            why = _cell(snapshot["why_incomplete"])
            yield f"\n{records} were not read completely: {why}"
