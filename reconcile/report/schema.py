"""The published form of the report: a JSON Schema that every document is valid against."""

from __future__ import annotations

from typing import Any

from reconcile.entities import RECORDS, Shown
from reconcile.model import Entity, OpKind, Side
from reconcile.report.classes import CLASSES, VALUE_CLASSES, Tone
from reconcile.report.totals import COUNTED

FORMAT = 2
"""Raised when a member is taken away or changes its meaning; new members do not raise it."""

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "integer"}
_TRUTH = {"type": "boolean"}
_SIDE = {"enum": [side.value for side in Side]}
_ENTITY = {"enum": [entity.value for entity in Entity]}
_RECORD = {"enum": [entity.value for entity in RECORDS]}
_STATUS = ["planned", "done", "exists", "value_dropped", "rejected", "stale", "in_doubt", "skipped"]


def _maybe(form: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [form, {"type": "null"}]}


def _object(about: str = "", **members: dict[str, Any]) -> dict[str, Any]:
    told = {"description": about} if about else {}
    return {"type": "object", **told, "properties": members, "required": list(members)}


def _list(form: dict[str, Any], about: str = "") -> dict[str, Any]:
    return {"type": "array", **({"description": about} if about else {}), "items": form}


def _counts(about: str) -> dict[str, Any]:
    return {"type": "object", "description": about, "additionalProperties": _COUNT}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report."""
    whole = _whole()
    alert = _object(name=_TEXT, severity={"enum": ["info", "warning", "error"]}, what=_TEXT)
    whole["properties"] |= {
        "totals": _totals(),
        "times": _list(_object(says=_TEXT, seconds={"type": "number"}), "how long each step took"),
        "approvals": _list(_approval(), "what people approved of the run"),
        "limits": _list(_limit(), "the limits that the plan went over: what it was refused for"),
        "alerts": _list(alert, "what the run gave reason to tell; absent where nobody asked"),
        "undo": {
            "type": "object",
            "description": "of a run that takes another back: which one, what stays, what is lost",
        },
        "consent": _consent(),
        **{kind.plural: _agenda(kind) for kind in Shown},
    }
    return whole


def _consent() -> dict[str, Any]:
    texts = dict.fromkeys(("op_id", "label", "field", "ground"), _TEXT)
    blank = dict.fromkeys(("app_key", "ghl_key", "before", "after"), _maybe(_TEXT))
    known = {"entity": _RECORD, "side": _SIDE, "status": {"enum": _STATUS}}
    means = {"means": {"enum": ["opted in", "opted out", "new, no", "new, yes"]}}
    change = _object("", **(texts | blank | known | means))
    return _object(
        "what the run does to consents; absent where none is mapped",
        fields=_list(_TEXT),
        counts=_counts("by what it means"),
        changes=_list(change, "each change, the opt-ins first, at most 5,000"),
    )


def _totals() -> dict[str, Any]:
    counts = _object("", **dict.fromkeys((*COUNTED, "writes"), _COUNT))
    children = _counts("tasks and notes that go with deleted contacts")
    return _object(
        "the figures of the run as a whole: what every surface shows",
        planned=counts,
        done=counts,
        along=_object(planned=children, done=children),
        failed=_COUNT,
        left=_COUNT,
        questions=_COUNT,
        conflicts=_COUNT,
    )


def _approval() -> dict[str, Any]:
    return _object(
        what={"enum": ["plan", "unseen", "limits", "answers"]},
        by={**_TEXT, "description": "who; empty where nobody gave a name"},
        at=_TEXT,
        names=_list(_TEXT, "the plan's digest and its parts, the limits, or the flag"),
        count={**_COUNT, "description": "of answers: how many the run followed"},
    )


def _limit() -> dict[str, Any]:
    return _object(
        name={**_TEXT, "description": "what --allow takes"},
        what=_TEXT,
        danger=_TEXT,
        setting={
            **_TEXT,
            "description": "the limit's name in the pair file; empty where it has none",
        },
        allowed=_maybe({"type": "number", "description": "a count, or below 1 a share of `of`"}),
        found=_maybe(_COUNT),
        of=_maybe(_COUNT),
        entity=_maybe(_ENTITY),
        side=_maybe(_SIDE),
        along=_counts("tasks and notes that would go with deleted contacts"),
    )


def _whole() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reconciliation report",
        **_object(
            "One run of one pair. Instants are ISO 8601 in UTC. Members may be added; `format` rises when one changes.",
            format={"const": FORMAT},
            run_id=_TEXT,
            pair=_TEXT,
            job=_TEXT,
            state={"enum": ["settled", "planned", "refused", "stopped", "failed", "audit"]},
            applied={**_TRUTH, "description": "false: the report says what would happen"},
            started_at=_TEXT,
            ended_at=_maybe(_TEXT),
            seconds=_maybe({"type": "number"}),
            refusal=_TEXT,
            stopped=_TEXT,
            nowhere=_nowhere(),
            verdict=_verdict(),
            entities={
                "type": "object",
                "propertyNames": _ENTITY,
                "additionalProperties": figures(),
                "description": "figures by entity; for tags, creates are contacts that got tags and deletes contacts that lost some",
            },
            statement=_statement(),
            values=_values(),
            changes=_list(_change(), "every operation in plan order"),
            interrupted=_list(
                _object(run_id=_TEXT, changes=_list(_change())),
                "runs that were killed and that this one settled, with what they had written: they left no report",
            ),
            holds=_list(_hold(), "every question for a person, oldest first"),
            failures=_list(_failure(), "operations that did not go as planned, by code"),
            passed=_passed(),
            quality={
                "type": "object",
                "description": "what the looked-at records show; empty where the run came to no plan",
            },
            usage={"type": "object", "propertyNames": _SIDE, "additionalProperties": _usage()},
            certificate=_certificate(),
            trends=_list(_trend(), "earlier runs and this one, oldest first"),
            provenance=_provenance(),
        ),
    }


def _agenda(kind: Shown) -> dict[str, Any]:
    """What is known of a kind that is only shown; reports of earlier versions lack it."""
    shown = _object(
        contact=_TEXT,
        label=_TEXT,
        key=_TEXT,
        title=_TEXT,
        status=_TEXT,
        start=_TEXT,
        local={**_TEXT, "description": "the same moment in the location's time zone"},
        as_of=_TEXT,
    )
    unread = _object(contact=_TEXT, label=_TEXT, because=_TEXT, as_of=_maybe(_TEXT))
    return _object(
        f"GHL's {kind.plural}, read within {kind.budget} and never written",
        budget=_COUNT,
        tried={**_COUNT, "description": "contacts that were asked for in this run"},
        failed={**_COUNT, "description": "of these, those that could not be read"},
        stopped=_TEXT,
        location_contacts=_maybe(_COUNT),
        known_contacts={**_COUNT, "description": f"contacts whose {kind.plural} were ever read"},
        as_of={**_maybe(_TEXT), "description": "when the one read longest ago was read"},
        timezone=_maybe(_TEXT),
        total=_COUNT,
        upcoming=_COUNT,
        past=_COUNT,
        unreadable={**_COUNT, "description": f"{kind.plural} whose time cannot be read"},
        by_status=_counts(f"{kind.plural} by GHL's status"),
        next=_list(
            {**shown, "properties": shown["properties"] | {"last": _maybe(_TEXT)}},
            "the first to come, each with the last past one of its contact, without cancelled ones",
        ),
        last=_list(shown, "the last past one of each contact, the latest first"),
        unread_contacts={**_COUNT, "description": "contacts whose last attempt failed"},
        unread=_list(unread),
        sentences=_list(_TEXT),
        brief=_TEXT,
    )


def _nowhere() -> dict[str, Any]:
    named = _object(entity=_RECORD, side=_SIDE, key=_TEXT)
    return _list(named, "records that were named, and that neither their side nor the ledger knows")


def figures() -> dict[str, Any]:
    """The figures of one entity."""
    return _object(
        creates=_COUNT,
        updates=_COUNT,
        deletes=_COUNT,
        linked={**_COUNT, "description": "records linked without a write"},
        forgotten=_COUNT,
        conflicts=_COUNT,
        holds=_COUNT,
        failed={
            **_COUNT,
            "description": "rejected, in doubt, or not made though the run was not told to stop",
        },
        left={
            **_COUNT,
            "description": "neither failed nor asked about, but not in agreement: stale, unsyncable, not checked, not reached",
        },
        requests={
            **_maybe(_COUNT),
            "description": "requests spent, where a side counts them by endpoint",
        },
        estimate={
            **_COUNT,
            "description": "requests that the planned writes were estimated to cost",
        },
        residual_operations={**_COUNT, "description": "operations still to do after the run"},
    )


def _verdict() -> dict[str, Any]:
    return _object(
        code=_TEXT,
        tone={"enum": ["good", "ask", "bad", "plain"]},
        headline=_TEXT,
        sentences=_list(_TEXT),
    )


def _statement() -> dict[str, Any]:
    identity = _object(says=_TEXT, left=_NUMBER, right=_NUMBER, holds=_TRUTH)
    side = _object(
        side=_SIDE,
        read=_COUNT,
        corrected=_NUMBER,
        rows=_COUNT,
        classes=_counts("rows by class; they sum up to rows"),
        aside=_counts("of these, rows without a counterpart after the run"),
        created=_COUNT,
        met=_COUNT,
        unread=_COUNT,
        adjusted={**_NUMBER, "description": "rows - aside + created + met + unread = linked"},
        unexplained=_COUNT,
        unexplained_keys=_list(_TEXT),
    )
    entity = _object(
        entity=_RECORD,
        linked=_COUNT,
        unexplained=_COUNT,
        sides=_list(side),
        identities=_list(identity),
    )
    named = _object(
        name={"enum": [c.name for c in CLASSES]},
        label=_TEXT,
        tone={"enum": [t.value for t in Tone]},
        meaning=_TEXT,
    )
    return _object(
        applied=_TRUTH,
        clean=_TRUTH,
        unexplained=_COUNT,
        classes=_list(named),
        entities=_list(entity),
        broken=_list(identity),
    )


def _values() -> dict[str, Any]:
    identity = _object(says=_TEXT, left=_NUMBER, right=_NUMBER, holds=_TRUTH)
    name = {"enum": [c.name for c in VALUE_CLASSES]}
    entity = _object(
        entity=_RECORD,
        fields={**_COUNT, "description": "mapped fields of a record"},
        total={
            **_COUNT,
            "description": "values of all linked pairs, and of records without a counterpart",
        },
        apart={
            **_COUNT,
            "description": "of these, values of which it cannot be said that both sides agree",
        },
        classes=_counts("values by class; they sum up to the total"),
        by_field={
            "type": "object",
            "description": "by field, values that are neither equal, carried, nor apart by rule",
            "additionalProperties": _counts("by class"),
        },
        identities=_list(identity),
    )
    listed = _object(
        entity=_RECORD,
        field={**_maybe(_TEXT), "description": "null: every value of the record"},
        because=_maybe(_TEXT),
        label=_maybe(_TEXT),
        app_key=_maybe(_TEXT),
        ghl_key=_maybe(_TEXT),
        app=_maybe(_TEXT),
        ghl=_maybe(_TEXT),
    )
    listed["properties"]["class"] = name
    listed["required"].append("class")
    named = _object(name=name, label=_TEXT, tone={"enum": [t.value for t in Tone]}, meaning=_TEXT)
    return _object(
        "every mapped value in exactly one class",
        agree={**_TRUTH, "description": "every value is equal, carried, or apart by rule"},
        classes=_list(named),
        entities=_list(entity),
        listed=_list(
            listed,
            "values that are neither equal nor carried, the most urgent first, at most 5,000",
        ),
    )


def _change() -> dict[str, Any]:
    field = _object(field=_TEXT, before=_maybe(_TEXT), after=_maybe(_TEXT))
    field["properties"] |= {
        "stored": {**_maybe(_TEXT), "description": "what the side stores instead of `after`"}
    }
    return _object(
        op_id=_TEXT,
        entity=_ENTITY,
        kind={"enum": [kind.value for kind in OpKind]},
        side={**_SIDE, "description": "the side that is written to"},
        label=_TEXT,
        under={**_maybe(_TEXT), "description": "the contact of a task or note"},
        app_key=_maybe(_TEXT),
        ghl_key=_maybe(_TEXT),
        fields=_list(field),
        because=_TEXT,
        status={"enum": _STATUS},
        code=_TEXT,
        detail=_TEXT,
        trace_id=_maybe(_TEXT),
        risk={"enum": ["low", "high"]},
        starts_workflows=_TRUTH,
    )


def _evidence() -> dict[str, Any]:
    return _object(
        side=_SIDE,
        key=_TEXT,
        label=_TEXT,
        values={"type": "object", "additionalProperties": _maybe(_TEXT)},
        modified_at=_maybe(_TEXT),
        under=_maybe(_TEXT),
    )


def _hold() -> dict[str, Any]:
    return _object(
        hold_id=_TEXT,
        kind={
            "enum": [
                "conflict",
                "ambiguous",
                "duplicate",
                "delete",
                "unsyncable",
                "flapping",
                "moved",
                "another",
                "doubt",
                "refused",
            ]
        },
        entity=_RECORD,
        label=_TEXT,
        field=_maybe(_TEXT),
        side=_maybe(_SIDE),
        app_key=_maybe(_TEXT),
        ghl_key=_maybe(_TEXT),
        because=_TEXT,
        values={"type": "object"},
        records=_list(_evidence()),
        candidates=_list(_evidence()),
        along={
            "type": "object",
            "description": "how many tasks and notes go along where the answer is `delete`",
            "additionalProperties": _COUNT,
        },
        options=_list(_object(choice=_TEXT, meaning=_TEXT)),
        values_digest=_TEXT,
        opened=_TEXT,
        age_days=_COUNT,
    )


def _failure() -> dict[str, Any]:
    named = _list(_TEXT, "the first of them")
    cause = _object(
        entity=_ENTITY, kind=_TEXT, side=_SIDE, because=_TEXT, count=_COUNT, records=named
    )
    example = _object(
        op_id=_TEXT,
        entity=_ENTITY,
        kind=_TEXT,
        side=_SIDE,
        label=_TEXT,
        detail=_TEXT,
        trace_id=_maybe(_TEXT),
    )
    return _object(
        code=_TEXT,
        meaning=_TEXT,
        remedy=_TEXT,
        settles_itself=_TRUTH,
        count=_COUNT,
        causes=_list(cause, "why, each once, the most frequent first"),
        examples=_list(example),
    )


def _passed() -> dict[str, Any]:
    reason: dict[str, dict[str, Any]] = {
        "entity": _RECORD,
        "side": _SIDE,
        "class": _TEXT,
        "because": _TEXT,
    }
    return _object(
        "records without a counterpart that nothing is done about",
        counts=_list(_object("", **reason, count=_COUNT)),
        records=_list(_object("", **reason, key=_TEXT, label=_TEXT)),
    )


def _usage() -> dict[str, Any]:
    return _object(
        requests=_COUNT,
        writing=_maybe(_COUNT),
        reading=_maybe(_COUNT),
        estimate=_COUNT,
        estimate_by_kind=_counts("by kind of operation"),
        estimate_says=_TEXT,
        metered={**_TRUTH, "description": "whether the side counts requests against a quota"},
        remaining_today=_maybe(_COUNT),
        window=_maybe(_list({"type": "number"}, "requests, seconds")),
        answers_429=_COUNT,
        looks={**_COUNT, "description": "writes right before which the record was looked at"},
        longest_look={
            "type": "number",
            "description": "most seconds from such a look to the end of its write",
        },
        by_endpoint=_counts("requests by endpoint"),
    )


def _certificate() -> dict[str, Any]:
    residual = _object(
        op_id=_TEXT, entity=_ENTITY, key=_maybe(_TEXT), fields=_list(_TEXT), because=_TEXT
    )
    group = _object(entity=_ENTITY, side=_SIDE, kind=_TEXT, count=_COUNT)
    return _object(
        mode={"enum": ["replanned", "read_back", "none"]},
        residual_operations=_COUNT,
        residual_holds=_maybe(_COUNT),
        groups=_list(group),
        residuals=_list(residual),
    )


def _trend() -> dict[str, Any]:
    row = {"type": "object", "additionalProperties": True}
    whole = _object(
        run_id=_maybe(_TEXT),
        job=_maybe(_TEXT),
        state=_maybe(_TEXT),
        started_at=_maybe(_TEXT),
        entities={"type": "object", "additionalProperties": row},
    )
    # A run of an earlier version has neither.
    whole["properties"] |= {"totals": _totals(), "requests": _COUNT}
    return whole


def _provenance() -> dict[str, Any]:
    snapshot = _object(
        entity=_RECORD,
        side=_SIDE,
        rows=_COUNT,
        reported_total=_maybe(_COUNT),
        complete=_TRUTH,
        partial=_TRUTH,
        why_incomplete=_TEXT,
        quarantined=_list(_TEXT),
        fingerprint=_TEXT,
        taken_at=_TEXT,
    )
    return _object(
        plan_digest=_maybe(_TEXT),
        config_digest=_maybe(_TEXT),
        mapping_digest=_TEXT,
        generation_before=_maybe(_COUNT),
        generation_after=_maybe(_COUNT),
        identities={"type": "object", "additionalProperties": _TEXT},
        snapshots=_list(snapshot),
        looked_again=_COUNT,
        recovered=_COUNT,
        versions={"type": "object", "additionalProperties": _TEXT},
    )
