"""Arranges a document for the page: what stands in which card, with which words and charts.

No figure is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any

from reconcile.entities import Entity
from reconcile.report.charts import Part, against, columns, stacked
from reconcile.report.classes import BY_RULE
from reconcile.report.records import cards, looked
from reconcile.report.verdict import many

_UNDO_LISTED = 20
_VALUES_LISTED = 50
_SIDES = {"app": "App", "ghl": "GHL"}


def context(document: Map[str, Any], rows: int) -> dict[str, Any]:
    """Everything the template needs beside the document itself."""
    quality = list(cards(document))
    return {
        "sections": list(_sections(document, rows, quality)),
        "tiles": list(_tiles(document)),
        "statement": [_balance(document, each) for each in document["statement"]["entities"]],
        **_classes(document),
        "values": _values(document),
        "checked": sum(len(each["identities"]) for each in document["statement"]["entities"]),
        "quality": quality,
        "looked": looked(document),
        "costs": list(_costs(document)),
        "trends": list(_trends(document)),
        "certificate": _certificate(document),
        "provenance": list(_provenance(document)),
        "undo": _undo(document),
    }


def _undo(document: Map[str, Any]) -> dict[str, Any] | None:
    """Of a run that takes another back: what stays, by reason, and what nothing brings back."""
    undo = document.get("undo")
    if not undo or not (undo["left"] or undo["lost"]):
        return None
    stays: dict[str, list[str]] = {}
    for each in undo["left"]:
        named = (
            f"{each['entity']} {each['key']} in {'GHL' if each['side'] == 'ghl' else 'the app'}"
            if each["key"]
            else each["entity"]
        )
        stays.setdefault(each["because"], []).append(named)
    return {
        "of": undo["of"],
        "left": [
            {"because": because, "count": len(records), "records": records[:_UNDO_LISTED]}
            for because, records in stays.items()
        ],
        "lost": undo["lost"],
    }


def _sections(
    document: Map[str, Any], rows: int, quality: list[Any]
) -> Iterator[tuple[str, str, int]]:
    if document["statement"]["entities"]:
        yield "statement", "Statement", 0
        yield "values", "Values", sum(each["apart"] for each in document["values"]["entities"])
    if _undo(document):
        yield "undo", "Not undone", len(document["undo"]["left"])
    if document["holds"]:
        yield "decisions", "Decisions", len(document["holds"])
    if document["failures"]:
        yield "failures", "Failures", sum(group["count"] for group in document["failures"])
    if rows:
        yield "records", "Records", rows
    if shown := document.get("appointments"):
        yield "appointments", "Appointments", shown["upcoming"]
    if quality:
        yield "quality", "Quality", 0
    yield "costs", "Cost", 0
    yield "proof", "Proof", 0


_TILES = (
    ("creates", "created", "done", "kind=create"),
    ("updates", "updated", "done", "kind=update"),
    ("deletes", "deleted", "done", "kind=delete"),
    ("linked", "linked", "done", "kind=adopt"),
    ("holds", "to decide", "ask", ""),
    ("failed", "failed", "fail", ""),
)


def _tiles(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """The figures of records, with tags in a tile of their own.

    What did not happen and seldom does has none. None of a run without a plan.
    """
    if document["state"] in ("failed", "stopped") and not document["applied"]:
        return
    records = {
        entity: figures for entity, figures in document["entities"].items() if entity != "tag"
    }
    tags = document["entities"].get("tag", {})
    for name, label, tone, chosen in _TILES:
        counted = document["entities"] if name in ("holds", "failed") else records
        parts = [(entity, figures[name]) for entity, figures in counted.items() if figures[name]]
        if name == "holds" and tags:
            yield _tag_tile(document, tags)
        if parts or name != "linked":
            detail = " · ".join(Entity(entity).counted(count) for entity, count in parts)
            href = {"holds": "#decisions", "failed": "#failures"}.get(name, "#records")
            would = "to be " if tone == "done" and not document["applied"] else ""
            tile = _tile(sum(count for _, count in parts), would + label, detail, tone=tone)
            yield tile | _leads(tile["value"], href, chosen)


def _tag_tile(document: Map[str, Any], tags: Map[str, int]) -> dict[str, Any]:
    parts = [
        f"{word} {Entity.TAG.record.counted(tags[name])}"
        for name, word in (("creates", "added to"), ("deletes", "removed from"))
        if tags[name]
    ]
    would = "" if document["applied"] else "to be "
    tile = _tile(
        tags["creates"] + tags["deletes"], would + "changed in tags", " · ".join(parts), tone="done"
    )
    return tile | _leads(tile["value"], "#records", "entity=tag")


def _tile(value: int, label: str, detail: str, *, tone: str) -> dict[str, Any]:
    return {"value": value, "label": label, "detail": detail, "tone": tone if value else "none"}


def _leads(value: int, href: str, chosen: str) -> dict[str, str]:
    """Where a figure leads to; nowhere if it is nought."""
    return {"href": href if value else "#main", "filter": chosen if value else ""}


def _values(document: Map[str, Any]) -> dict[str, Any]:
    """Every value in one class, by entity, and the first of those that are not agreed."""
    values = document["values"]
    entities = values["entities"]
    used = [c for c in values["classes"] if any(c["name"] in each["classes"] for each in entities)]
    labels = {c["name"]: c["label"] for c in values["classes"]}
    apart = [
        each | {"said": labels[each["class"]]}
        for each in values["listed"]
        if each["class"] != BY_RULE
    ]
    return {
        "heads": [Entity(each["entity"]).plural for each in entities],
        "rows": [
            c | {"numbers": [each["classes"].get(c["name"], 0) for each in entities]} for c in used
        ],
        "totals": [each["total"] for each in entities],
        "apart": apart[:_VALUES_LISTED],
        "more": max(0, len(apart) - _VALUES_LISTED),
        "agree": values["agree"],
    }


# the statement ------------------------------------------------------------------------------------


def _balance(document: Map[str, Any], each: Map[str, Any]) -> dict[str, Any]:
    app, ghl = each["sides"]
    known = {c["name"]: c for c in document["statement"]["classes"]}
    lines = [_line("Records read", app["read"], ghl["read"])]
    lines.append(
        _line("corrected by a look at the record", app["corrected"], ghl["corrected"], delta=True)
    )
    lines += [
        _line(
            f"{known[name]['label']}, no counterpart",
            -app["aside"].get(name, 0),
            -ghl["aside"].get(name, 0),
            delta=True,
            tone=known[name]["tone"],
        )
        for name in known
    ]
    for name, label in (
        ("created", "created here"),
        ("met", "found while writing"),
        ("unread", "linked, not read in this run"),
    ):
        lines.append(_line(label, app[name], ghl[name], delta=True))
    return {
        "entity": each["entity"],
        "title": f"{each['entity'].capitalize()}s",
        "lines": [lines[0], *(line for line in lines[1:] if any(line["numbers"]))],
        "adjusted": [app["adjusted"], ghl["adjusted"]],
        "good": not each["unexplained"]
        and all(identity["holds"] for identity in each["identities"]),
        "legend": list(_legend(each, known)),
        "bars": [
            {"side": _SIDES[side["side"]], "svg": _bar(each["entity"], side, known)}
            for side in each["sides"]
        ],
    }


def _legend(each: Map[str, Any], known: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """What the colours of a bar mean, with the counts in the app and in GHL."""
    app, ghl = (side["classes"] for side in each["sides"])
    for name in reversed(list(known)):
        counts = (app.get(name, 0), ghl.get(name, 0))
        if any(counts):
            told = f"{counts[0]:,}" if counts[0] == counts[1] else f"{counts[0]:,} · {counts[1]:,}"
            yield {"name": name, "label": known[name]["label"], "counts": told}


def _line(label: str, *numbers: int, delta: bool = False, tone: str = "") -> dict[str, Any]:
    return {
        "label": label,
        "numbers": numbers,
        "delta": delta,
        "tone": tone if tone in ("ask", "fail") else "",
    }


def _bar(entity: str, side: Map[str, Any], known: Map[str, Any]) -> str:
    parts = [
        Part(known[name]["label"], side["classes"].get(name, 0), f"class-{name}")
        for name in reversed(list(known))
    ]
    return stacked(
        parts,
        title=f"{entity}s in {_SIDES[side['side']]} by class: "
        + ", ".join(f"{part.label} {part.value:,}" for part in parts if part.value),
    )


def _classes(document: Map[str, Any]) -> dict[str, Any]:
    state = document["statement"]
    accounts = [side for entity in state["entities"] for side in entity["sides"]]
    heads = [
        f"{entity['entity'].capitalize()}s, {_SIDES[side['side']]}"
        for entity in state["entities"]
        for side in entity["sides"]
    ]
    rows = [
        {**each, "numbers": [account["classes"].get(each["name"], 0) for account in accounts]}
        for each in reversed(state["classes"])
        if each["name"] == "unexplained"
        or any(each["name"] in account["classes"] for account in accounts)
    ]
    return {"class_heads": heads, "class_rows": rows}


# costs and trends ---------------------------------------------------------------------------------


def _costs(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    for side, used in document["usage"].items():
        if not used["metered"]:
            continue
        written = used["writing"] if used["writing"] is not None else used["requests"]
        refused = (
            f" {many(used['answers_429'], 'answer')} said “too many requests”."
            if used["answers_429"]
            else ""
        )
        left = (
            f" {used['remaining_today']:,} requests remain today."
            if used["remaining_today"] is not None
            else ""
        )
        ordered = sorted(used["by_endpoint"].items(), key=lambda item: (-item[1], item[0]))
        yield {
            "name": "GHL" if side == "ghl" else "the app",
            "used": used,
            "says": f"The plan expected {many(used['estimate'], 'request')} to write (the mark).{left}{refused}",
            "svg": against(
                written,
                used["estimate"],
                title=f"{written:,} requests to write, {used['estimate']:,} expected",
            ),
            "endpoints": ordered,
        }


_TRENDS = (
    (
        "Changes a run",
        (
            ("creates", "created", "tone-create"),
            ("updates", "updated", "tone-done"),
            ("deletes", "deleted", "tone-delete"),
        ),
    ),
    ("Questions open", (("holds", "open", "tone-ask"),)),
    ("Failures", (("failed", "failed", "tone-fail"), ("left", "left", "tone-aside"))),
    ("Requests", (("requests", "requests", "tone-done"),)),
)


def _trends(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    runs = document["trends"]
    if len(runs) < 2:
        return
    for title, figures in _TRENDS:
        drawn = [
            (
                str(run["started_at"])[:16].replace("T", " "),
                [Part(label, _sum(run, name), style) for name, label, style in figures],
            )
            for run in runs
        ]
        svg = columns(drawn, title=f"{title}, over {len(runs)} runs")
        if svg:
            sums = [sum(part.value for part in parts) for _, parts in drawn]
            yield {
                "title": title,
                "svg": svg,
                "first": drawn[0][0][:10],
                "says": f"this run {sums[-1]:,} · most {max(sums):,}",
                "legend": [{"label": label, "style": style} for _, label, style in figures]
                if len(figures) > 1
                else [],
            }


def _sum(run: Map[str, Any], name: str) -> int:
    return sum(int(figures.get(name) or 0) for figures in run["entities"].values())


# proof --------------------------------------------------------------------------------------------


def _certificate(document: Map[str, Any]) -> dict[str, str]:
    proof = _proof(document)
    return {**proof, "says": " ".join([proof["says"], *_windows(document)])}


def _windows(document: Map[str, Any]) -> Iterator[str]:
    """How long somebody had to change a record unseen, on each side that knows no lock."""
    for side, used in document["usage"].items():
        if used["looks"]:
            looked = many(used["looks"], "record") + (" was" if used["looks"] == 1 else " were")
            yield (
                f"Right before the write {looked} looked at again in {_SIDES[side]}; only an edit in the "
                f"{used['longest_look']:.1f} seconds, at most, between a look and its write could have been overwritten."
            )


def _proof(document: Map[str, Any]) -> dict[str, str]:
    proof = document["certificate"]
    left = proof["residual_operations"]
    holds = proof["residual_holds"]
    if proof["mode"] == "replanned":
        asked = f", and {many(holds, 'question')} that a person decides" if holds else ""
        says = (
            "After the run both sides were read again and the plan was made again. It holds "
            + (many(left, "operation") if left else "no operation")
            + asked
            + "."
        )
        return {
            "title": "Converged" if not left else "Not converged yet",
            "tone": "good" if not left else "ask",
            "says": says,
        }
    if proof["mode"] == "read_back":
        wrong = many(left, "record") + (" is" if left == 1 else " are") + " not as written."
        says = "Every record that was written was read again, by key, past any index. " + (
            "All are as they were written." if not left else wrong
        )
        return {"title": "Read back", "tone": "good" if not left else "ask", "says": says}
    return {
        "title": "Nothing to prove",
        "tone": "plain",
        "says": "Nothing was written in this run, or it ended before its writes could be read again.",
    }


def _provenance(document: Map[str, Any]) -> Iterator[tuple[str, str]]:
    made = document["provenance"]
    named = (
        ("plan_digest", "Plan"),
        ("config_digest", "Configuration"),
        ("mapping_digest", "Mapping"),
    )
    for name, label in named:
        if made[name]:
            yield label, str(made[name])
    if made["generation_before"] is not None:
        after = made["generation_after"]
        yield (
            "Ledger",
            f"generation {made['generation_before']}"
            + (f" → {after}" if after is not None else ""),
        )
    for side, identity in made["identities"].items():
        yield _SIDES[side], identity
    yield "Looked at by key", f"{made['looked_again']:,}"
    if made["recovered"]:
        yield "Finished for earlier runs", f"{made['recovered']:,}"
    for name, version in made["versions"].items():
        yield name, version
