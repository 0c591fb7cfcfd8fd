"""Arranges a document for the page: what stands in which card, with which words and charts.

No figure is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any

from reconcile.entities import Entity, Shown
from reconcile.model import Side
from reconcile.report.account import approved, slow
from reconcile.report.charts import Part, against, stacked
from reconcile.report.classes import BY_RULE
from reconcile.report.limits import cells
from reconcile.report.records import cards, looked
from reconcile.report.tiles import tiles
from reconcile.report.totals import totals_of
from reconcile.report.trends import trends
from reconcile.report.verdict import apart as differing
from reconcile.report.verdict import by_count, many

_UNDO_LISTED = 20
_VALUES_LISTED = 50
_SIDES = {
    "app": "App",
    "ghl": "GHL",
}


def context(
    document: Map[str, Any],
    rows: int,
) -> dict[str, Any]:
    """Everything the template needs beside the document itself."""
    quality = list(cards(document))
    return {
        "sections": list(_sections(document, rows, quality)),
        "tiles": list(tiles(document)),
        "limits": list(_limits(document)),
        "statement": [_balance(document, each) for each in document["statement"]["entities"]],
        **_classes(document),
        "values": _values(document),
        "checked": sum(len(each["identities"]) for each in document["statement"]["entities"]),
        "quality": quality,
        "looked": looked(document),
        "costs": list(_costs(document)),
        "trends": list(trends(document)),
        "certificate": _certificate(document),
        "provenance": list(_provenance(document)),
        "approved": list(approved(document)),
        "times": list(slow(document)),
        "undo": _undo(document),
        "consent": _consent(document),
    }


def _limits(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """What a run was refused for, a row each; what the flag lets happen stands beneath."""
    for limit in document.get("limits") or ():
        yield {"cells": cells(limit), "flag": f"--allow {limit['name']}", **limit}


def _undo(document: Map[str, Any]) -> dict[str, Any] | None:
    """Of a run that takes another back: what stays, by reason, and what nothing brings back."""
    undo = document.get("undo")
    if not undo or not (undo["left"] or undo["lost"]):
        return None
    stays: dict[str, list[str]] = {}
    for each in undo["left"]:
        named = each["entity"]
        if each["key"]:
            named += f" {each['key']} in {Side(each['side']).label}"
        stays.setdefault(each["because"], []).append(named)
    left = []
    for because, records in stays.items():
        first = records[:_UNDO_LISTED]
        left.append({"because": because, "count": len(records), "records": first})
    return {"of": undo["of"], "left": left, "lost": undo["lost"]}


def _consent(document: Map[str, Any]) -> dict[str, Any] | None:
    """The first changes of consents, and how many there are of each kind."""
    consent = document.get("consent")
    if not consent or not consent["changes"]:
        return None
    listed: list[Any] = consent["changes"][:_VALUES_LISTED]
    return {**consent, "listed": listed, "more": len(consent["changes"]) - len(listed)}


def _sections(
    document: Map[str, Any], rows: int, quality: list[Any]
) -> Iterator[tuple[str, str, int]]:
    if document["statement"]["entities"]:
        yield "statement", "Statement", 0
        yield "values", "Values", sum(each["apart"] for each in document["values"]["entities"])
    if _undo(document):
        yield "undo", "Not undone", len(document["undo"]["left"])
    consent = _consent(document)
    if consent:
        yield "consent", "Consent", len(consent["changes"])
    if document["holds"]:
        yield "decisions", "Decisions", totals_of(document)["questions"]
    if document["failures"]:
        yield "failures", "Not as planned", sum(group["count"] for group in document["failures"])
    if rows:
        yield "records", "Records", rows
    for kind in Shown:
        shown = document.get(kind.plural)
        if shown:
            yield kind.plural, kind.plural.capitalize(), shown["upcoming"]
    if quality:
        yield "quality", "Quality", 0
    yield "costs", "Cost", 0
    yield "proof", "Proof", 0


def _values(document: Map[str, Any]) -> dict[str, Any]:
    """Every value in one class, by entity, and the first of those that are not agreed."""
    values = document["values"]
    entities = values["entities"]
    counts = [each["classes"] for each in entities]
    rows = []
    for described in values["classes"]:
        name = described["name"]
        if any(name in classes for classes in counts):
            rows.append(described | {"numbers": [classes.get(name, 0) for classes in counts]})
    labels = {described["name"]: described["label"] for described in values["classes"]}
    differences = [each for each in values["listed"] if each["class"] != BY_RULE]
    apart = [each | {"said": labels[each["class"]]} for each in differences]
    return {
        "heads": [Entity(each["entity"]).plural for each in entities],
        "rows": rows,
        "totals": [each["total"] for each in entities],
        "apart": apart[:_VALUES_LISTED],
        "more": max(0, sum(differing(document).values()) - _VALUES_LISTED),
        **_accepted(values),
        "agree": values["agree"],
    }


def _accepted(values: Map[str, Any]) -> dict[str, Any]:
    """The first of the differences that a rule or a decision leaves, and how many there are."""
    accepted = [each for each in values["listed"] if each["class"] == BY_RULE]
    total = sum(each["classes"].get(BY_RULE, 0) for each in values["entities"])
    shown = accepted[:_VALUES_LISTED]
    return {
        "accepted": shown,
        "accepted_total": total,
        "accepted_more": total - len(shown),
    }


# the statement ------------------------------------------------------------------------------------


def _balance(
    document: Map[str, Any],
    each: Map[str, Any],
) -> dict[str, Any]:
    app, ghl = each["sides"]
    entity = each["entity"]
    known = {c["name"]: c for c in document["statement"]["classes"]}
    lines = [line for line in _adjustments(app, ghl, known) if any(line["numbers"])]
    good = not each["unexplained"]
    for identity in each["identities"]:
        good = good and identity["holds"]
    bars: list[dict[str, str]] = []
    for side in each["sides"]:
        svg = _bar(entity, side, known)
        bars.append({"side": _SIDES[side["side"]], "svg": svg})
    return {
        "entity": entity,
        "title": Entity(entity).plural.capitalize(),
        "lines": [_line("Records read", app["read"], ghl["read"]), *lines],
        "adjusted": [app["adjusted"], ghl["adjusted"]],
        "good": good,
        "legend": list(_legend(each, known)),
        "bars": bars,
    }


def _adjustments(
    app: Map[str, Any], ghl: Map[str, Any], known: Map[str, Any]
) -> Iterator[dict[str, Any]]:
    """What leads from the records read to the linked pairs, in the statement's order."""
    label = "corrected by a look at the record"
    yield _line(label, app["corrected"], ghl["corrected"], delta=True)
    for name, described in known.items():
        label = f"{described['label']}, no counterpart"
        tone = described["tone"]
        without = (-side["aside"].get(name, 0) for side in (app, ghl))
        yield _line(label, *without, delta=True, tone=tone)
    yield _line("Created here", app["created"], ghl["created"], delta=True)
    yield _line("found while writing", app["met"], ghl["met"], delta=True)
    yield _line("linked, not read in this run", app["unread"], ghl["unread"], delta=True)


def _legend(
    each: Map[str, Any],
    known: Map[str, Any],
) -> Iterator[dict[str, Any]]:
    """What the colours of a bar mean, with the counts in the app and in GHL."""
    app, ghl = (side["classes"] for side in each["sides"])
    for name in reversed(list(known)):
        in_app, in_ghl = app.get(name, 0), ghl.get(name, 0)
        if not in_app and not in_ghl:
            continue
        counts = f"{in_app:,}"
        if in_app != in_ghl:
            counts += f" · {in_ghl:,}"
        yield {"name": name, "label": known[name]["label"], "counts": counts}


def _line(
    label: str,
    *numbers: int,
    delta: bool = False,
    tone: str = "",
) -> dict[str, Any]:
    return {
        "label": label,
        "numbers": numbers,
        "delta": delta,
        "tone": tone if tone in ("ask", "fail") else "",
    }


def _bar(
    entity: str,
    side: Map[str, Any],
    known: Map[str, Any],
) -> str:
    parts: list[Part] = []
    said: list[str] = []
    for name in reversed(list(known)):
        label = known[name]["label"]
        count = side["classes"].get(name, 0)
        parts.append(Part(label, count, f"class-{name}"))
        if count:
            said.append(f"{label} {count:,}")
    where = _SIDES[side["side"]]
    return stacked(parts, title=f"{Entity(entity).plural} in {where} by class: {', '.join(said)}")


def _classes(document: Map[str, Any]) -> dict[str, Any]:
    state = document["statement"]
    heads: list[str] = []
    accounts: list[Map[str, Any]] = []
    for entity in state["entities"]:
        plural = Entity(entity["entity"]).plural.capitalize()
        for side in entity["sides"]:
            heads.append(f"{plural}, {_SIDES[side['side']]}")
            accounts.append(side["classes"])
    rows: list[dict[str, Any]] = []
    for each in reversed(state["classes"]):
        name = each["name"]
        counts = [classes.get(name, 0) for classes in accounts]
        # That nothing is unexplained is said, too.
        if any(counts) or name == "unexplained":
            rows.append({**each, "numbers": counts})
    return {
        "class_heads": heads,
        "class_rows": rows,
    }


# costs ---------------------------------------------------------------------------------


def _costs(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    for side, used in document["usage"].items():
        if not used["metered"]:
            continue
        written = used["writing"]
        # Where requests are not told apart, all of them are beside the estimate.
        if written is None:
            written = used["requests"]
        expected = used["estimate"]
        title = f"{written:,} requests to write, {expected:,} expected"
        ordered = sorted(used["by_endpoint"].items(), key=lambda item: (-item[1], item[0]))
        yield {
            "name": Side(side).label,
            "used": used,
            "says": " ".join(_cost_words(used)),
            "svg": against(written, expected, title=title),
            "endpoints": ordered,
        }


def _cost_words(used: Map[str, Any]) -> Iterator[str]:
    expected = many(used["estimate"], "request")
    left = used["remaining_today"]
    refused = used["answers_429"]
    yield f"The plan expected {expected} to write (the mark)."
    if left is not None:
        yield f"{left:,} requests remain today."
    if refused:
        yield f"{many(refused, 'answer')} said “too many requests”."


# proof --------------------------------------------------------------------------------------------


def _certificate(document: Map[str, Any]) -> dict[str, str]:
    proof = _proof(document)
    return {**proof, "says": " ".join([proof["says"], *_windows(document)])}


def _windows(document: Map[str, Any]) -> Iterator[str]:
    """How long somebody had to change a record unseen, on each side that knows no lock."""
    for side, used in document["usage"].items():
        looks = used["looks"]
        if not looks:
            continue
        looked = f"{many(looks, 'record')} {by_count(looks, 'was', 'were')}"
        longest = f"{used['longest_look']:.1f} seconds, at most,"
        if used["longest_look"] < 0.1:
            longest = "tenth of a second, at most,"
        yield (
            f"Right before the write {looked} looked at again in {_SIDES[side]}; only an edit "
            f"in the {longest} between a look and its write could have been overwritten."
        )


def _proof(document: Map[str, Any]) -> dict[str, str]:
    proof = document["certificate"]
    left = proof["residual_operations"]
    tone = "ask" if left else "good"
    if proof["mode"] == "replanned":
        title = "Not converged yet" if left else "Converged"
        says = _replanned(left, proof["residual_holds"])
        return {"title": title, "tone": tone, "says": says}
    if proof["mode"] == "read_back":
        says = "Every record that was written was read again, by key, past any index. "
        if not left:
            says += "All are as they were written."
        elif left == 1:
            says += "1 record is not as written."
        else:
            says += f"{left:,} records are not as written."
        return {"title": "Read back", "tone": tone, "says": says}
    says = "Nothing was written in this run, or it ended before its writes could be read again."
    return {"title": "Nothing to prove", "tone": "plain", "says": says}


def _replanned(left: int, holds: int | None) -> str:
    """What the plan holds that was made again afterwards."""
    says = "After the run both sides were read again and the plan was made again. It holds "
    says += many(left, "operation") if left else "no operation"
    if holds:
        says += f", and {many(holds, 'question')} that a person decides"
    return says + "."


def _provenance(document: Map[str, Any]) -> Iterator[tuple[str, str]]:
    provenance = document["provenance"]
    named = (
        ("plan_digest", "Plan"),
        ("config_digest", "Configuration"),
        ("mapping_digest", "Mapping"),
    )
    for name, label in named:
        if provenance[name]:
            yield label, str(provenance[name])
    before, after = provenance["generation_before"], provenance["generation_after"]
    if before is not None:
        generation = f"generation {before}"
        if after is not None:
            generation += f" → {after}"
        yield "Ledger", generation
    for side, identity in provenance["identities"].items():
        yield _SIDES[side], identity
    yield "Looked at by key", f"{provenance['looked_again']:,}"
    if provenance["recovered"]:
        yield "Finished for earlier runs", f"{provenance['recovered']:,}"
    for name, version in provenance["versions"].items():
        yield name, version
