"""Why a record or a value is what it is.

The link, what each side last showed, and every write to it with its run and reason.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reconcile.entities import RECORDS
from reconcile.errors import StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, OpKind, Side
from reconcile.values.mapping import TAGS

if TYPE_CHECKING:
    from flows.outcome.past import Evidence


def explanation(
    ledger: Ledger, entity: str, key: str, field: str | None, *, evidence: Evidence | None = None
) -> dict[str, Any]:
    """The story of a record, found by its key on either side; `lines` tells it in sentences.

    With `evidence`, each write says what was compared: the baseline and the values of both sides,
    and the rule's word. Raises StateError where nothing was ever linked, written or asked under
    that key, and for a word that names no entity or field.
    """
    if entity not in RECORDS:
        raise _unknown("kind of record", entity, [each.value for each in RECORDS])
    link = _link(ledger, entity, key)
    writes, holds = _writes(ledger, entity, key, link), _asked(ledger, entity, key, link)
    if link is None and not writes and not holds:
        raise StateError(
            f"nothing is known of {entity} {key}",
            remedy=(
                "it is on one side only and was never asked about, or the key is another's; "
                "`explain --why-not` says why something does not sync"
            ),
            code="NO_RECORD",
        )
    if field is not None:
        known = evidence.fields(ledger, entity) if evidence is not None else ()
        _require(field, known, link, writes, holds)
        writes = [write for write in writes if field in write["changed"]]
        holds = [hold for hold in holds if _field_of(hold) in (None, field)]
    if evidence is not None:
        writes = [{**write, "situation": evidence.of(entity, write)} for write in writes]
    story: dict[str, Any] = {
        "entity": entity,
        "key": key,
        "link": link,
        "writes": writes,
        "holds": holds,
    }
    story["write_lines"] = [_of_write(write) for write in writes]
    story["lines"] = [*_of_link(link, field), *story["write_lines"], *map(_of_hold, holds)]
    return story


def _unknown(what: str, word: str, known: Collection[str]) -> StateError:
    return StateError(
        f"there is no {what} {word!r}", remedy=f"known are {', '.join(known)}", code="NO_RECORD"
    )


def _require(
    field: str,
    mapped: Collection[str],
    link: dict[str, Any] | None,
    writes: list[dict[str, Any]],
    holds: list[dict[str, Any]],
) -> None:
    """Raise StateError for a field that nothing names.

    Neither the newest archive nor the record's story does. It is never raised without an archive.
    """
    names = {_field_of(hold) for hold in holds}
    if link:
        for cells in link["last_shown"].values():
            names |= cells.keys()
    for write in writes:
        names |= write["changed"].keys()
    if mapped and field not in (*mapped, *names):
        raise _unknown("field", field, mapped)


def _field_of(hold: Mapping[str, Any]) -> str | None:
    """The field that a question is about.

    One about an element of a set names the element after it.
    """
    field: str | None = hold.get("field")
    if field is None:
        return None
    return field.partition(": ")[0]


def _link(ledger: Ledger, entity: str, key: str) -> dict[str, Any] | None:
    table = schema.link
    query = sa.select(table).where(
        table.c.pair == ledger.pair,
        table.c.entity == entity,
        sa.or_(table.c.app_key == key, table.c.ghl_key == key),
    )
    with ledger.engine.connect() as connection:
        row = connection.execute(query.limit(1)).mappings().one_or_none()
    if row is None:
        return None
    columns = ("link_id", "app_key", "ghl_key", "how", "since_run")
    cells = {side: json.loads(row[f"{side}_cells"]) for side in ("app", "ghl")}
    return {**{name: row[name] for name in columns}, "last_shown": cells}


def _writes(
    ledger: Ledger, entity: str, key: str, link: dict[str, Any] | None
) -> list[dict[str, Any]]:
    journal, run = schema.journal, schema.run
    query = (
        sa.select(
            journal.c.run_id,
            journal.c.operation,
            journal.c.outcome,
            journal.c.status,
            journal.c.ended_at,
        )
        .join(run, run.c.run_id == journal.c.run_id)
        .where(run.c.pair == ledger.pair)
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    words = [json.dumps(key, ensure_ascii=False)]
    if link:
        words.append(json.dumps(link["link_id"], ensure_ascii=False))
    # SQL finds what holds the word anywhere; whether it is the key is asked of the decoded JSON.
    cells = (journal.c.operation, journal.c.outcome)
    holding = [cell.contains(word, autoescape=True) for cell in cells for word in words]
    query = query.where(sa.or_(*holding))
    matches = []
    with ledger.engine.connect() as connection:
        for row in connection.execute(query):
            operation, outcome = json.loads(row.operation), json.loads(row.outcome or "{}")
            ends = {operation.get("key"), operation.get("source_key"), outcome.get("key")}
            same = Entity(operation["entity"]).record == entity
            if same and (key in ends or (link and operation["link_id"] == link["link_id"])):
                matches.append(_write(row, operation, outcome))
    return matches


def _write(row: Any, operation: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    before, after = operation.get("before", {}), operation.get("after", {})
    changed = {name: [before.get(name), cell] for name, cell in after.items()}
    if operation["kind"] == OpKind.REMOVE_TAGS:  # its `after` holds the tags that it takes away
        changed = {TAGS: [after[TAGS], None]}
    return {
        "run_id": row.run_id,
        "op_id": operation["op_id"],
        "link_id": operation["link_id"],
        "key": outcome.get("key") or operation.get("key"),
        "stored": outcome.get("after"),
        "at": row.ended_at,
        "kind": operation["kind"],
        "side": operation["side"],
        "changed": changed,
        "because": operation["because"],
        "status": row.status or "in doubt",
        "code": outcome.get("code", ""),
        "detail": outcome.get("detail", ""),
        "trace_id": outcome.get("trace_id"),
    }


def _asked(
    ledger: Ledger, entity: str, key: str, link: dict[str, Any] | None
) -> list[dict[str, Any]]:
    subjects = {key}
    if link:
        subjects.add(link["link_id"])
    holds = []
    for row in ledger.holds(only_open=False):
        body = json.loads(row.body)
        ends = {body["subject"], body.get("app_key"), body.get("ghl_key")}
        if body["entity"] == entity and ends & subjects:
            decided = {"decision": row.decision, "decided_by": row.decided_by, "reason": row.reason}
            holds.append({**body, "first_seen": row.first_seen, "open": row.open, **decided})
    return holds


def _of_link(link: dict[str, Any] | None, field: str | None) -> list[str]:
    if link is None:
        return ["It is not linked to a record on the other side."]
    lines = [
        (
            f"Linked since run {link['since_run']}: app {link['app_key']} = GHL "
            f"{link['ghl_key']} ({link['how']})."
        ),
        "What each side last showed:",
    ]
    app, ghl = link["last_shown"]["app"], link["last_shown"]["ghl"]
    shown = [name for name in sorted(set(app) | set(ghl)) if field in (None, name)]
    return lines + [f"  {name}: app {app.get(name)!r}, GHL {ghl.get(name)!r}" for name in shown]


def _of_write(write: dict[str, Any]) -> str:
    where = Side(write["side"]).label
    changes = [_of_change(write["kind"], name, *cells) for name, cells in write["changed"].items()]
    ended = write["status"]
    if write["code"]:
        ended += f" {write['code']} {write['detail']}"
    if write["trace_id"]:
        ended += f", trace {write['trace_id']}"
    headline = (
        f"{write['at']} run {write['run_id']}: {write['kind']} in {where} [{ended}] "
        f"{'; '.join(changes)} — {write['because']}"
    )
    situation = [f"    {_of_situation(each)}" for each in write.get("situation", ())]
    return "\n".join([headline, *situation])


def _of_change(kind: str, name: str, before: str | None, after: str | None) -> str:
    match kind:
        case OpKind.ADD_TAGS:
            return f"{name} added: {', '.join(json.loads(after or '[]'))}"
        case OpKind.REMOVE_TAGS:
            return f"{name} removed: {', '.join(json.loads(before or '[]'))}"
    return f"{name}: {before!r} → {after!r}"


def _of_situation(row: Mapping[str, Any]) -> str:
    what = row["field"]
    if row["item"]:
        what += f" ({row['item']})"
    app = f"app {row['base_app']!r} → {row['app']!r}"
    ghl = f"GHL {row['base_ghl']!r} → {row['ghl']!r}"
    kind = row["kind"].replace("_", " ")
    return f"{what}: {kind}; last shown → then: {app}, {ghl}; {row['because']}"


def _of_hold(hold: dict[str, Any]) -> str:
    state = "open" if hold["open"] else "closed"
    line = (
        f"{hold['first_seen']} hold {hold['hold_id']} ({hold['kind']}, {state}): {hold['because']}"
    )
    if hold["decision"]:
        line += f"; decided {hold['decision']} by {hold['decided_by']}: {hold['reason']}"
    return line
