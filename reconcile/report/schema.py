"""The published form of the report: a JSON Schema that every document is valid against."""

from __future__ import annotations

from typing import Any

from reconcile.entities import Shown
from reconcile.model import OpKind
from reconcile.report.asking import ASKED
from reconcile.report.classes import CLASSES, VALUE_CLASSES, Tone
from reconcile.report.forms import (
    COUNT,
    ENTITY,
    NUMBER,
    RECORD,
    SIDE,
    STATUS,
    TEXT,
    TRUTH,
    counts_by_name,
    list_of,
    maybe,
    object_of,
)
from reconcile.report.totals import COUNTED

FORMAT = 2
"""Raised when a member is taken away or changes its meaning; new members do not raise it."""


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report."""
    whole = _whole()
    alert = object_of(name=TEXT, severity={"enum": ["info", "warning", "error"]}, what=TEXT)
    whole["properties"] |= {
        "totals": _totals(),
        "times": list_of(
            object_of(says=TEXT, seconds={"type": "number"}), "how long each step took"
        ),
        "approvals": list_of(_approval(), "what people approved of the run"),
        "limits": list_of(_limit(), "the limits that the plan went over: what it was refused for"),
        "alerts": list_of(alert, "what the run gave reason to tell; absent where nobody asked"),
        "undo": {
            "type": "object",
            "description": "of a run that takes another back: which one, what stays, what is lost",
        },
        "consent": _consent(),
        **{kind.plural: _agenda(kind) for kind in Shown},
    }
    return whole


def _consent() -> dict[str, Any]:
    texts = dict.fromkeys(("op_id", "label", "field", "ground"), TEXT)
    blank = dict.fromkeys(("app_key", "ghl_key", "before", "after"), maybe(TEXT))
    known = {"entity": RECORD, "side": SIDE, "status": {"enum": STATUS}}
    means = {"means": {"enum": ["opted in", "opted out", "new, no", "new, yes"]}}
    change = object_of("", **(texts | blank | known | means))
    return object_of(
        "what the run does to consents; absent where none is mapped",
        fields=list_of(TEXT),
        counts=counts_by_name("by what it means"),
        changes=list_of(change, "each change, the opt-ins first, at most 5,000"),
    )


def _totals() -> dict[str, Any]:
    counts = object_of("", **dict.fromkeys((*COUNTED, "writes"), COUNT))
    children = counts_by_name("tasks and notes that go with deleted contacts")
    return object_of(
        "the figures of the run as a whole: what every surface shows",
        planned=counts,
        done=counts,
        along=object_of(planned=children, done=children),
        failed=COUNT,
        left=COUNT,
        questions=COUNT,
        conflicts=COUNT,
    )


def _approval() -> dict[str, Any]:
    return object_of(
        what={"enum": ["plan", "unseen", "limits", "answers"]},
        by={**TEXT, "description": "who; empty where nobody gave a name"},
        at=TEXT,
        names=list_of(TEXT, "the plan's digest and its parts, the limits, or the flag"),
        count={**COUNT, "description": "of answers: how many the run followed"},
    )


def _limit() -> dict[str, Any]:
    return object_of(
        name={**TEXT, "description": "what --allow takes"},
        what=TEXT,
        danger=TEXT,
        setting={
            **TEXT,
            "description": "the limit's name in the pair file; empty where it has none",
        },
        allowed=maybe({"type": "number", "description": "a count, or below 1 a share of `of`"}),
        found=maybe(COUNT),
        of=maybe(COUNT),
        entity=maybe(ENTITY),
        side=maybe(SIDE),
        along=counts_by_name("tasks and notes that would go with deleted contacts"),
    )


def _whole() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reconciliation report",
        **object_of(
            (
                "One run of one pair. Instants are ISO 8601 in UTC. Members may be added; "
                "`format` rises when one changes."
            ),
            format={"const": FORMAT},
            run_id=TEXT,
            pair=TEXT,
            job=TEXT,
            state={"enum": ["settled", "planned", "refused", "stopped", "failed", "audit"]},
            applied={**TRUTH, "description": "false: the report says what would happen"},
            started_at=TEXT,
            ended_at=maybe(TEXT),
            seconds=maybe({"type": "number"}),
            refusal=TEXT,
            stopped=TEXT,
            nowhere=_nowhere(),
            verdict=_verdict(),
            entities={
                "type": "object",
                "propertyNames": ENTITY,
                "additionalProperties": figures(),
                "description": (
                    "figures by entity; for tags, creates are contacts that got tags and deletes "
                    "contacts that lost some"
                ),
            },
            statement=_statement(),
            values=_values(),
            changes=list_of(_change(), "every operation in plan order"),
            interrupted=list_of(
                object_of(run_id=TEXT, changes=list_of(_change())),
                (
                    "runs that were killed and that this one settled, with what they had "
                    "written: they left no report"
                ),
            ),
            holds=list_of(_hold(), "every question for a person, oldest first"),
            failures=list_of(_failure(), "operations that did not go as planned, by code"),
            passed=_passed(),
            quality={
                "type": "object",
                "description": (
                    "what the looked-at records show; empty where the run came to no plan"
                ),
            },
            usage={"type": "object", "propertyNames": SIDE, "additionalProperties": _usage()},
            certificate=_certificate(),
            trends=list_of(_trend(), "earlier runs and this one, oldest first"),
            provenance=_provenance(),
        ),
    }


def _agenda(kind: Shown) -> dict[str, Any]:
    """What is known of a kind that is only shown; reports of earlier versions lack it."""
    shown = object_of(
        contact=TEXT,
        label=TEXT,
        key=TEXT,
        title=TEXT,
        status=TEXT,
        start=TEXT,
        local={**TEXT, "description": "the same moment in the location's time zone"},
        as_of=TEXT,
    )
    unread = object_of(contact=TEXT, label=TEXT, because=TEXT, as_of=maybe(TEXT))
    return object_of(
        f"GHL's {kind.plural}, read within {kind.budget} and never written",
        budget=COUNT,
        tried={**COUNT, "description": "contacts that were asked for in this run"},
        failed={**COUNT, "description": "of these, those that could not be read"},
        stopped=TEXT,
        location_contacts=maybe(COUNT),
        known_contacts={**COUNT, "description": f"contacts whose {kind.plural} were ever read"},
        as_of={**maybe(TEXT), "description": "when the one read longest ago was read"},
        timezone=maybe(TEXT),
        total=COUNT,
        upcoming=COUNT,
        past=COUNT,
        unreadable={**COUNT, "description": f"{kind.plural} whose time cannot be read"},
        by_status=counts_by_name(f"{kind.plural} by GHL's status"),
        next=list_of(
            {**shown, "properties": shown["properties"] | {"last": maybe(TEXT)}},
            "the first to come, each with the last past one of its contact, without cancelled ones",
        ),
        last=list_of(shown, "the last past one of each contact, the latest first"),
        unread_contacts={**COUNT, "description": "contacts whose last attempt failed"},
        unread=list_of(unread),
        sentences=list_of(TEXT),
        brief=TEXT,
    )


def _nowhere() -> dict[str, Any]:
    named = object_of(entity=RECORD, side=SIDE, key=TEXT)
    return list_of(
        named, "records that were named, and that neither their side nor the ledger knows"
    )


def figures() -> dict[str, Any]:
    """The figures of one entity."""
    return object_of(
        creates=COUNT,
        updates=COUNT,
        deletes=COUNT,
        linked={**COUNT, "description": "records linked without a write"},
        forgotten=COUNT,
        conflicts=COUNT,
        holds=COUNT,
        failed={
            **COUNT,
            "description": "rejected, in doubt, or not made though the run was not told to stop",
        },
        left={
            **COUNT,
            "description": (
                "neither failed nor asked about, but not in agreement: stale, unsyncable, "
                "not checked, not reached"
            ),
        },
        requests={
            **maybe(COUNT),
            "description": "requests spent, where a side counts them by endpoint",
        },
        estimate={
            **COUNT,
            "description": "requests that the planned writes were estimated to cost",
        },
        residual_operations={**COUNT, "description": "operations still to do after the run"},
    )


def _verdict() -> dict[str, Any]:
    return object_of(
        code=TEXT,
        tone={"enum": ["good", "ask", "bad", "plain"]},
        headline=TEXT,
        sentences=list_of(TEXT),
    )


def _statement() -> dict[str, Any]:
    identity = object_of(says=TEXT, left=NUMBER, right=NUMBER, holds=TRUTH)
    side = object_of(
        side=SIDE,
        read=COUNT,
        corrected=NUMBER,
        rows=COUNT,
        classes=counts_by_name("rows by class; they sum up to rows"),
        aside=counts_by_name("of these, rows without a counterpart after the run"),
        created=COUNT,
        met=COUNT,
        unread=COUNT,
        adjusted={**NUMBER, "description": "rows - aside + created + met + unread = linked"},
        unexplained=COUNT,
        unexplained_keys=list_of(TEXT),
    )
    entity = object_of(
        entity=RECORD,
        linked=COUNT,
        unexplained=COUNT,
        sides=list_of(side),
        identities=list_of(identity),
    )
    named = object_of(
        name={"enum": [c.name for c in CLASSES]},
        label=TEXT,
        tone={"enum": [t.value for t in Tone]},
        meaning=TEXT,
    )
    return object_of(
        applied=TRUTH,
        clean=TRUTH,
        unexplained=COUNT,
        classes=list_of(named),
        entities=list_of(entity),
        broken=list_of(identity),
    )


def _values() -> dict[str, Any]:
    identity = object_of(says=TEXT, left=NUMBER, right=NUMBER, holds=TRUTH)
    name = {"enum": [c.name for c in VALUE_CLASSES]}
    entity = object_of(
        entity=RECORD,
        fields={**COUNT, "description": "mapped fields of a record"},
        total={
            **COUNT,
            "description": "values of all linked pairs, and of records without a counterpart",
        },
        apart={
            **COUNT,
            "description": "of these, values of which it cannot be said that both sides agree",
        },
        classes=counts_by_name("values by class; they sum up to the total"),
        by_field={
            "type": "object",
            "description": "by field, values that are neither equal, carried, nor apart by rule",
            "additionalProperties": counts_by_name("by class"),
        },
        identities=list_of(identity),
    )
    listed = object_of(
        entity=RECORD,
        field={**maybe(TEXT), "description": "null: every value of the record"},
        because=maybe(TEXT),
        label=maybe(TEXT),
        app_key=maybe(TEXT),
        ghl_key=maybe(TEXT),
        app=maybe(TEXT),
        ghl=maybe(TEXT),
    )
    listed["properties"]["class"] = name
    listed["required"].append("class")
    named = object_of(name=name, label=TEXT, tone={"enum": [t.value for t in Tone]}, meaning=TEXT)
    return object_of(
        "every mapped value in exactly one class",
        agree={**TRUTH, "description": "every value is equal, carried, or apart by rule"},
        classes=list_of(named),
        entities=list_of(entity),
        listed=list_of(
            listed,
            "values that are neither equal nor carried, the most urgent first, at most 5,000",
        ),
    )


def _change() -> dict[str, Any]:
    field = object_of(field=TEXT, before=maybe(TEXT), after=maybe(TEXT))
    field["properties"] |= {
        "stored": {**maybe(TEXT), "description": "what the side stores instead of `after`"}
    }
    return object_of(
        op_id=TEXT,
        entity=ENTITY,
        kind={"enum": [kind.value for kind in OpKind]},
        side={**SIDE, "description": "the side that is written to"},
        label=TEXT,
        under={**maybe(TEXT), "description": "the contact of a task or note"},
        app_key=maybe(TEXT),
        ghl_key=maybe(TEXT),
        fields=list_of(field),
        because=TEXT,
        status={"enum": STATUS},
        code=TEXT,
        detail=TEXT,
        trace_id=maybe(TEXT),
        risk={"enum": ["low", "high"]},
        starts_workflows=TRUTH,
    )


def _evidence() -> dict[str, Any]:
    return object_of(
        side=SIDE,
        key=TEXT,
        label=TEXT,
        values={"type": "object", "additionalProperties": maybe(TEXT)},
        modified_at=maybe(TEXT),
        under=maybe(TEXT),
    )


def _hold() -> dict[str, Any]:
    return object_of(
        hold_id=TEXT,
        kind={"enum": list(ASKED)},
        entity=RECORD,
        label=TEXT,
        field=maybe(TEXT),
        side=maybe(SIDE),
        app_key=maybe(TEXT),
        ghl_key=maybe(TEXT),
        because=TEXT,
        values={"type": "object"},
        records=list_of(_evidence()),
        candidates=list_of(_evidence()),
        along=counts_by_name("how many tasks and notes go along where the answer is `delete`"),
        options=list_of(object_of(choice=TEXT, meaning=TEXT)),
        values_digest=TEXT,
        opened=TEXT,
        age_days=COUNT,
    )


def _failure() -> dict[str, Any]:
    named = list_of(TEXT, "the first of them")
    cause = object_of(entity=ENTITY, kind=TEXT, side=SIDE, because=TEXT, count=COUNT, records=named)
    example = object_of(
        op_id=TEXT,
        entity=ENTITY,
        kind=TEXT,
        side=SIDE,
        label=TEXT,
        detail=TEXT,
        trace_id=maybe(TEXT),
    )
    return object_of(
        code=TEXT,
        meaning=TEXT,
        remedy=TEXT,
        settles_itself=TRUTH,
        count=COUNT,
        causes=list_of(cause, "why, each once, the most frequent first"),
        examples=list_of(example),
    )


def _passed() -> dict[str, Any]:
    reason: dict[str, dict[str, Any]] = {
        "entity": RECORD,
        "side": SIDE,
        "class": TEXT,
        "because": TEXT,
    }
    return object_of(
        "records without a counterpart that nothing is done about",
        counts=list_of(object_of("", **reason, count=COUNT)),
        records=list_of(object_of("", **reason, key=TEXT, label=TEXT)),
    )


def _usage() -> dict[str, Any]:
    return object_of(
        requests=COUNT,
        writing=maybe(COUNT),
        reading=maybe(COUNT),
        estimate=COUNT,
        estimate_by_kind=counts_by_name("by kind of operation"),
        estimate_says=TEXT,
        metered={**TRUTH, "description": "whether the side counts requests against a quota"},
        remaining_today=maybe(COUNT),
        window=maybe(list_of({"type": "number"}, "requests, seconds")),
        answers_429=COUNT,
        looks={**COUNT, "description": "writes right before which the record was looked at"},
        longest_look={
            "type": "number",
            "description": "most seconds from such a look to the end of its write",
        },
        by_endpoint=counts_by_name("requests by endpoint"),
    )


def _certificate() -> dict[str, Any]:
    residual = object_of(
        op_id=TEXT, entity=ENTITY, key=maybe(TEXT), fields=list_of(TEXT), because=TEXT
    )
    group = object_of(entity=ENTITY, side=SIDE, kind=TEXT, count=COUNT)
    return object_of(
        mode={"enum": ["replanned", "read_back", "none"]},
        residual_operations=COUNT,
        residual_holds=maybe(COUNT),
        groups=list_of(group),
        residuals=list_of(residual),
    )


def _trend() -> dict[str, Any]:
    row = {"type": "object", "additionalProperties": True}
    whole = object_of(
        run_id=maybe(TEXT),
        job=maybe(TEXT),
        state=maybe(TEXT),
        started_at=maybe(TEXT),
        entities={"type": "object", "additionalProperties": row},
    )
    # A run of an earlier version has neither.
    whole["properties"] |= {"totals": _totals(), "requests": COUNT}
    return whole


def _provenance() -> dict[str, Any]:
    snapshot = object_of(
        entity=RECORD,
        side=SIDE,
        rows=COUNT,
        reported_total=maybe(COUNT),
        complete=TRUTH,
        partial=TRUTH,
        why_incomplete=TEXT,
        quarantined=list_of(TEXT),
        fingerprint=TEXT,
        taken_at=TEXT,
    )
    snapshot["properties"] |= {"as_of": maybe(TEXT), "not_read": COUNT}
    return object_of(
        plan_digest=maybe(TEXT),
        config_digest=maybe(TEXT),
        mapping_digest=TEXT,
        generation_before=maybe(COUNT),
        generation_after=maybe(COUNT),
        identities={"type": "object", "additionalProperties": TEXT},
        snapshots=list_of(snapshot),
        looked_again=COUNT,
        recovered=COUNT,
        versions={"type": "object", "additionalProperties": TEXT},
    )
