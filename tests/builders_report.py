"""Makes reports without a run: documents of the published form, with as many changes as a test or a benchmark wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcile.report.changes import failures
from reconcile.report.classes import CLASSES, VALUE_CLASSES
from reconcile.report.kept import texts
from reconcile.report.schema import FORMAT
from reconcile.report.tally import Sieve
from reconcile.report.totals import totals
from reconcile.report.verdict import verdict

_KINDS = (
    ("update", "contact"),
    ("create", "contact"),
    ("add_tags", "tag"),
    ("update", "task"),
    ("delete", "note"),
)
FIRST = ("Ann", "Bob", "Cyd", "Dee", "Eve", "Fay", "Guy")
LAST = (
    "Abbott",
    "Baker",
    "Castillo",
    "Dunn",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Khan",
)


def dumped(whole: Mapping[str, Any]) -> str:
    """A document as it is written."""
    return "".join(texts(whole))


def change_of(number: int = 0, **members: Any) -> dict[str, Any]:
    """One change; numbers give different kinds, names and outcomes."""
    kind, entity = _KINDS[number % len(_KINDS)]
    side = "ghl" if number % 3 else "app"
    usual = {
        "op_id": f"{number:020x}",
        "entity": entity,
        "kind": kind,
        "side": side,
        "label": f"{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]} {number}",
        "under": "Ann Lee" if entity in ("task", "note") else None,
        "app_key": str(100_000 + number),
        "ghl_key": f"g{number * 7919:019d}",
        "fields": _fields(kind, number),
        "because": "company: changed in the app, not in GHL"
        if side == "ghl"
        else "company: changed in GHL, not in the app",
        "status": "rejected" if number % 500 == 499 else "done",
        "code": "INVALID_FIELD" if number % 500 == 499 else "",
        "detail": "",
        "trace_id": None,
        "risk": "low",
        "starts_workflows": False,
    }
    return usual | members


def _fields(kind: str, number: int) -> list[dict[str, Any]]:
    old, new = f"Company {number % 3000} Ltd", f"Company {number % 3000} of the North Ltd"
    if kind == "create":
        return [
            {"field": "first_name", "before": None, "after": FIRST[number % len(FIRST)]},
            {"field": "email", "before": None, "after": f"person{number}@mail.example"},
        ]
    if kind == "add_tags":
        return [{"field": "tags", "before": None, "after": "vip, lead"}]
    if kind == "delete":
        return [{"field": "body", "before": f"a note about {old}", "after": None}]
    return [
        {"field": "company", "before": old, "after": new},
        {"field": "city", "before": None, "after": f"City {number % 900}"},
    ]


def question_of(number: int = 0, **members: Any) -> dict[str, Any]:
    """One conflict over a contact's company."""
    usual = {
        "hold_id": f"{number:020d}",
        "kind": "conflict",
        "entity": "contact",
        "label": f"Zoe Young {number}",
        "field": "company",
        "side": None,
        "app_key": f"a{number}",
        "ghl_key": f"g{number}",
        "because": "changed on both sides to different values",
        "values": {"base_app": "Old", "base_ghl": "Old", "app": "From the app", "ghl": "From GHL"},
        "records": [
            {
                "side": "app",
                "key": f"a{number}",
                "label": f"Zoe Young {number}",
                "values": {"email": "zoe@mail.example"},
                "modified_at": "2026-01-01T00:00:00Z",
                "under": None,
            }
        ],
        "candidates": [],
        "along": {},
        "options": [
            {"choice": choice, "meaning": f"takes {choice}"} for choice in ("app", "ghl", "leave")
        ],
        "values_digest": "d1",
        "opened": "2026-01-01T00:00:00Z",
        "age_days": 3,
    }
    return usual | members


def _account(side: str, rows: int) -> dict[str, Any]:
    return {
        "side": side,
        "read": rows,
        "corrected": 0,
        "rows": rows,
        "classes": {"in_sync": rows},
        "aside": {},
        "created": 0,
        "met": 0,
        "unread": 0,
        "adjusted": rows,
        "unexplained": 0,
        "unexplained_keys": [],
    }


def _statement(rows: int) -> dict[str, Any]:
    entities = [
        {
            "entity": entity,
            "linked": rows,
            "unexplained": 0,
            "sides": [_account(side, rows) for side in ("app", "ghl")],
            "identities": [],
        }
        for entity in ("contact", "task", "note")
    ]
    classes = [
        {"name": c.name, "label": c.label, "tone": c.tone.value, "meaning": c.meaning}
        for c in CLASSES
    ]
    return {
        "applied": True,
        "clean": True,
        "unexplained": 0,
        "classes": classes,
        "entities": entities,
        "broken": [],
    }


def _values() -> dict[str, Any]:
    """A value statement with one value of each kind that people have to read."""
    apart = {"rejected": 1, "dropped": 1, "unreadable": 1, "held": 1, "not_read": 5}
    kinds = [each for each in VALUE_CLASSES if each.name in apart]
    named = {
        "entity": "contact",
        "because": "not a telephone number",
        "app_key": "a1",
        "ghl_key": "g1",
    }
    return {
        "agree": False,
        "classes": [
            {"name": c.name, "label": c.label, "tone": c.tone.value, "meaning": c.meaning}
            for c in VALUE_CLASSES
        ],
        "entities": [
            {
                "entity": "contact",
                "fields": 5,
                "total": 20,
                "apart": sum(apart.values()),
                "classes": apart | {"equal": 9, "carried": 1, "by_rule": 1},
                "by_field": {"phone": {"unreadable": 1}},
                "identities": [
                    {
                        "says": "contact: values = sum of all classes",
                        "left": 20,
                        "right": 20,
                        "holds": True,
                    }
                ],
            }
        ],
        "listed": [
            named
            | {
                "field": "phone",
                "class": each.name,
                "label": "Zoe Young 1",
                "app": "ask at the desk",
                "ghl": None,
            }
            for each in kinds
        ],
    }


def report_of(changes: int = 3, holds: int = 1, **members: Any) -> dict[str, Any]:
    """A whole document."""
    entries = [change_of(number) for number in range(changes)]
    written = [each for each in entries if each["status"] == "done"]
    figures = {
        entity: {
            "creates": sum(
                e["entity"] == entity and e["kind"] in ("create", "add_tags") for e in written
            ),
            "updates": sum(e["entity"] == entity and e["kind"] == "update" for e in written),
            "deletes": sum(e["entity"] == entity and e["kind"] == "delete" for e in written),
            **dict.fromkeys(("linked", "forgotten", "left"), 0),
            "conflicts": holds * (entity == "contact"),
            "holds": holds * (entity == "contact"),
            "failed": sum(e["entity"] == entity and e["status"] == "rejected" for e in entries),
            "requests": 10,
            "estimate": 8,
            "residual_operations": 0,
        }
        for entity in ("contact", "tag", "task", "note")
    }
    counted = totals(entries, figures, Sieve.of(entries))
    now = {
        "run_id": "r9",
        "job": "nightly",
        "state": "settled",
        "started_at": "2026-01-05T02:00:00Z",
        "entities": figures,
        "totals": counted,
        "requests": 143,
    }
    whole = {
        "format": FORMAT,
        "run_id": "r9",
        "pair": "acme",
        "job": "nightly",
        "state": "settled",
        "applied": True,
        "started_at": "2026-01-05T02:00:00Z",
        "ended_at": "2026-01-05T02:03:20Z",
        "seconds": 200.0,
        "times": [
            {"says": "reading both sides", "seconds": 120.5},
            {"says": "writing", "seconds": 79.5},
        ],
        "approvals": [
            {"what": "plan", "by": "ann", "at": "2026-01-05T02:00:00Z", "names": ["d1"], "count": 0}
        ],
        "refusal": "",
        "stopped": "",
        "nowhere": [],
        "totals": counted,
        "limits": [],
        "entities": figures,
        "statement": _statement(max(changes, 10)),
        "holds": [question_of(number) for number in range(holds)],
        "failures": failures(entries),
        "passed": {
            "counts": [
                {
                    "entity": "task",
                    "side": "ghl",
                    "class": "unsyncable",
                    "because": "required, but blank: title",
                    "count": 1,
                }
            ],
            "records": [
                {
                    "entity": "task",
                    "side": "ghl",
                    "key": "t1",
                    "label": "t1",
                    "class": "unsyncable",
                    "because": "required, but blank: title",
                }
            ],
        },
        "quality": {},
        "usage": {
            "ghl": {
                "requests": 143,
                "writing": 36,
                "reading": 107,
                "estimate": 34,
                "estimate_by_kind": {"update": 34},
                "estimate_says": "34 requests",
                "metered": True,
                "remaining_today": 9_857,
                "window": [100, 10.0],
                "answers_429": 0,
                "by_endpoint": {"contact.search": 3},
                "looks": 3,
                "longest_look": 0.6,
            }
        },
        "values": _values(),
        "interrupted": [{"run_id": "r8", "changes": [change_of(0)]}],
        "certificate": {
            "mode": "read_back",
            "residual_operations": 0,
            "residual_holds": None,
            "groups": [],
            "residuals": [],
        },
        "provenance": {
            "plan_digest": "d1",
            "config_digest": "c1",
            "mapping_digest": "m1",
            "generation_before": 4,
            "generation_after": 5,
            "identities": {"app": "sqlite:app.db", "ghl": "location abc"},
            "snapshots": [],
            "looked_again": 0,
            "recovered": 0,
            "versions": {"ghl-reconcile": "0.1.0"},
        },
        "changes": entries,
        "trends": [
            {**now, "run_id": f"r{n}", "started_at": f"2026-01-{n - 4:02d}T02:00:00Z"}
            for n in range(5, 9)
        ]
        + [now],
    }
    whole["verdict"] = verdict(whole)
    return whole | members
