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
    return "\n\n".join(text for part in parts if (text := "\n".join(part(document)))) + "\n"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1
) -> Iterator[str]:
    """A Markdown table; all but the first `left` columns are numbers."""
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "|".join("---" if at < left else "---:" for at, _ in enumerate(heads)) + "|"
    for row in rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"


def _cell(value: object) -> str:
    if value is None:
        return _NONE
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    # A closing bracket makes a link or a picture only with what follows it.
    return re.sub(r"\](?=\s*[\[(:])", r"\\]", re.sub(r"[\r\n\u2028\u2029]+", " ", text))


def _said(value: object) -> str:
    """Text that others wrote, without what would end or begin code in it.

    A backslash does nothing within code.
    """
    return _NONE if value is None else str(value).replace("`", "'")


def _head(document: Map[str, Any]) -> Iterator[str]:
    verdict = document["verdict"]
    yield f"# {_MARKS[verdict['tone']]} {verdict['headline']}"
    yield ""
    took = f" · {document['seconds']:g} s" if document["seconds"] is not None else ""
    yield (
        f"Pair **{_cell(document['pair'])}** · {document['job']} run `{document['run_id']}` · "
        f"{document['started_at']}{took}"
    )
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
    rows = [
        [entity, *(figures[name] for name, _ in _FIGURES)]
        for entity, figures in document["entities"].items()
    ]
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
        place = "GHL" if each["side"] == "ghl" else "the app"
        yield (
            f"- {each['entity']} `{_cell(_said(each['key']))}` in {place} stays as it is: "
            f"{_cell(each['because'])}"
        )
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
    heads = [
        "",
        *(
            f"{entity['entity']}, {side['side']}"
            for entity in state["entities"]
            for side in entity["sides"]
        ),
    ]
    accounts = [side for entity in state["entities"] for side in entity["sides"]]
    used = [name for name in labels if any(name in account["aside"] for account in accounts)]
    rows: list[list[object]] = [["Records read", *(account["read"] for account in accounts)]]
    rows += [
        ["± corrected by a look at the record", *(account["corrected"] for account in accounts)]
    ]
    rows += [
        [
            f"{_MINUS} {labels[name].lower()}, no counterpart",
            *(-account["aside"].get(name, 0) for account in accounts),
        ]
        for name in used
    ]
    for name, label in (
        ("created", "+ created here"),
        ("met", "+ found while writing"),
        ("unread", "+ linked, not read in this run"),
    ):
        rows.append([label, *(account[name] for account in accounts)])
    rows = [row for row in rows if row[0] == "Records read" or any(row[1:])]
    rows.append(["**= linked pairs**", *(f"**{account['adjusted']:,}**" for account in accounts)])
    rows.append(["unexplained", *(account["unexplained"] for account in accounts)])
    yield from table(heads, rows)
    yield ""
    yield from _classes(labels, accounts, heads)
    for identity in state["broken"]:
        yield (
            f"\n**Does not hold:** {_cell(identity['says'])}: "
            f"{identity['left']:,} is not {identity['right']:,}"
        )


def _classes(
    labels: Map[str, str], accounts: Sequence[Map[str, Any]], heads: Sequence[str]
) -> Iterator[str]:
    """Every record in one class."""
    used = [name for name in labels if any(name in account["classes"] for account in accounts)]
    yield from table(
        ["every record is in one class", *heads[1:]],
        [
            [labels[name], *(account["classes"].get(name, 0) for account in accounts)]
            for name in used
        ],
    )


def _values(document: Map[str, Any]) -> Iterator[str]:
    """Every value in one class, and those of which it cannot be said that both sides agree."""
    values = document["values"]
    if not values["entities"]:
        return
    yield "## Values"
    yield ""
    used = [
        c
        for c in reversed(values["classes"])
        if any(c["name"] in each["classes"] for each in values["entities"])
    ]
    rows: list[list[object]] = [
        [each["entity"], *(each["classes"].get(c["name"], 0) for c in used), each["total"]]
        for each in values["entities"]
    ]
    yield from table(
        ["every value is in one class", *(c["label"].lower() for c in used), "all"], rows
    )
    apart = [each for each in values["listed"] if each["class"] != BY_RULE]
    if apart:
        labels = {c["name"]: c["label"] for c in values["classes"]}
        yield ""
        rows = [
            [
                _said(each["label"]),
                each["field"] or "all",
                labels[each["class"]],
                *_ends(each),
                _said(each["because"]),
            ]
            for each in apart[:_MOST]
        ]
        yield from table(["record", "field", "value is", "the app", "GHL", "because"], rows, left=6)
    more = sum(differing(document).values()) - _MOST
    if apart and more > 0:
        yield f"\n… and {more:,} more; report.json has the first 5,000."


def _holds(document: Map[str, Any]) -> Iterator[str]:
    holds = document["holds"]
    if not holds:
        return
    yield f"## {many(len(holds), 'decision')} needed"
    yield ""
    yield from table(
        ["id", "record", "question", "the app", "GHL", "choices", "days"],
        [_hold(hold) for hold in holds[:_MOST]],
        left=6,
    )
    if len(holds) > _MOST:
        yield f"\n… and {len(holds) - _MOST:,} more in the full report."


def _hold(hold: Map[str, Any]) -> list[object]:
    values = hold["values"]
    shown = [values.get(side.value) for side in Side]
    if hold["kind"] != "conflict":
        shown = [
            next((end["label"] for end in hold["records"] if end["side"] == side), None)
            for side in Side
        ]
    choices = ", ".join(option["choice"] for option in hold["options"])
    field = f" · {hold['field']}" if hold["field"] else ""
    return [
        f"`{hold['hold_id']}`",
        f"{hold['entity']} {_said(hold['label'])}{_said(field)}",
        _said(hold["because"]),
        *map(_said, shown),
        choices,
        hold["age_days"],
    ]


def _failures(document: Map[str, Any]) -> Iterator[str]:
    groups = document["failures"]
    if not groups:
        return
    yield "## What did not go as planned"
    yield ""
    rows = [
        [group["code"], group["meaning"], group["remedy"], _cause(cause), cause["count"]]
        for group in groups
        for cause in group["causes"]
    ]
    yield from table(["code", "what it means", "what to do", "why", "how many"], rows, left=4)


def _cause(cause: Map[str, Any]) -> str:
    """One cause, with the first of the records that it kept from being written."""
    records = ", ".join(cause["records"])
    more = " …" if cause["count"] > len(cause["records"]) else ""
    words = f"{cause['kind']} {cause['entity']} {records}{more}"
    return _said(words + (f": {cause['because']}" if cause["because"] else ""))


def _changes(document: Map[str, Any]) -> Iterator[str]:
    of_either = (entry for entry in document["changes"] if entry["kind"] not in ("adopt", "forget"))
    written = list(islice(of_either, _MOST))
    if not written:
        return
    more = sum(1 for _ in of_either)
    yield "## What changed" if document["applied"] else "## What would change"
    yield ""
    rows = [
        [
            entry["kind"].replace("_", " "),
            entry["entity"],
            entry["side"],
            _said(entry["label"]),
            _said(_fields(entry)),
            _said(entry["because"]),
            entry["status"],
        ]
        for entry in written
    ]
    yield from table(["what", "", "in", "record", "fields", "because", "outcome"], rows, left=7)
    if more:
        yield f"\n… and {more:,} more in the full report."


def _fields(entry: Map[str, Any]) -> str:
    if entry["kind"] in ("create", "delete", "archive"):
        return many(len(entry["fields"]), "field")
    return "; ".join(
        f"{part['field']}: {part['before'] or '∅'} → {part['after'] or '∅'}"
        for part in entry["fields"]
    )


def _ends(value: Map[str, Any]) -> list[str]:
    return [_said(value[side.value]) for side in Side]


def _agendas(document: Map[str, Any]) -> Iterator[str]:
    """What is only shown; nothing where a report of an earlier version does not say."""
    for kind in Shown:
        if shown := document.get(kind.plural):
            yield from _agenda(kind, shown)


def _agenda(kind: Shown, shown: Map[str, Any]) -> Iterator[str]:
    yield f"## {kind.plural.capitalize()}"
    yield ""
    yield _cell(" ".join(shown["sentences"]))
    if shown["known_contacts"]:
        yield ""
        counts = [("to come", shown["upcoming"]), ("past", shown["past"])]
        counts += [("at an unreadable time", shown["unreadable"])]
        counts += [(f"status {_said(name)}", count) for name, count in shown["by_status"].items()]
        yield from table([kind.plural, "how many"], counts)
    if shown["next"]:
        yield ""
        heads = ["next", "contact", "title", "status", "last before", "as of"]
        rows = [
            [
                local(each["local"]),
                *(_said(each[name]) for name in ("label", "title", "status")),
                local(each["last"]),
                local(each["as_of"]),
            ]
            for each in shown["next"]
        ]
        yield from table(heads, rows, left=6)


def local(text: str | None) -> str | None:
    """A moment as the clock on that wall showed it, without its offset."""
    return text and text[:16].replace("T", " ")


def _interrupted(document: Map[str, Any]) -> Iterator[str]:
    """What runs that were killed had written."""
    for run in document["interrupted"]:
        yield f"## Written by run {run['run_id']}, which was interrupted"
        yield ""
        rows = [
            [
                _said(entry["label"]),
                entry["kind"],
                entry["side"],
                _said(_written(entry)),
                _said(entry["because"]),
            ]
            for entry in run["changes"][:_MOST]
        ]
        yield from table(["record", "what", "side", "fields", "because"], rows, left=5)
        if len(run["changes"]) > _MOST:
            yield f"\n… and {len(run['changes']) - _MOST:,} more in the full report."


def _written(entry: Map[str, Any]) -> str:
    return "; ".join(
        f"{part['field']}: {part['before'] or _NONE} → {part['after'] or _NONE}"
        for part in entry["fields"]
    )


def _costs(document: Map[str, Any]) -> Iterator[str]:
    metered = {side: used for side, used in document["usage"].items() if used["metered"]}
    if not metered:
        return
    yield "## Requests"
    yield ""
    columns = ("requests", "reading", "writing", "estimate", "answers_429", "remaining_today")
    rows = [[side, *(used[name] for name in columns)] for side, used in metered.items()]
    yield from table(
        ["", "requests", "reading", "writing", "writing, estimated", "refused (429)", "left today"],
        rows,
    )


def _provenance(document: Map[str, Any]) -> Iterator[str]:
    provenance = document["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    yield (
        f"Plan `{provenance['plan_digest'] or _NONE}` "
        f"· configuration `{provenance['config_digest'] or _NONE}` "
        f"· mapping `{provenance['mapping_digest']}` · {versions or 'versions unknown'}"
    )
    for snapshot in provenance["snapshots"]:
        if snapshot.get("not_read"):
            yield (
                f"\n{snapshot['side']} {snapshot['entity']}s: {snapshot['not_read']} of "
                f"{snapshot['rows']} were not read again since {snapshot['as_of']}"
            )
        if not snapshot["complete"]:
            yield (
                f"\n{snapshot['side']} {snapshot['entity']}s were not read completely: "
                f"{_cell(snapshot['why_incomplete'])}"
            )
