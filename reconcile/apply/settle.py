"""Advances the ledger to what is known, in one transaction: what snapshots showed, then what the sides said to our writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.baseline import claims, differences
from reconcile.compare import restored
from reconcile.compare.diff import beside
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import RECORDS, Cell, Cells, Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS, EntityMap

_BATCH = 1_000
_DROPPING = (OpKind.DELETE, OpKind.ARCHIVE, OpKind.FORGET)
_USUAL_LINE, _BIGGEST_LINE = (
    16 * 2**20,
    64 * 2**20,
)  # bytes; an operation may carry a whole note, before and after

_PENDING = """
CREATE OR REPLACE TABLE pending AS
SELECT link_id, list(DISTINCT field) FILTER (item IS NULL) AS fields, list(DISTINCT field || chr(31) || item) FILTER (item IS NOT NULL) AS items
FROM judged_{e} WHERE action IN ('agree', 'ask', 'unsyncable', 'flapping') GROUP BY link_id;
"""

# Most links are quiet, and both their ends alike: their cells are put together once.
_ADVANCED = """
SELECT {wanted} FROM (
    SELECT *, CASE WHEN quiet AND app IS NOT DISTINCT FROM ghl THEN app_cells ELSE {ghl_cells} END AS ghl_cells FROM (
        SELECT w.* REPLACE (
                CASE WHEN p.link_id IS NULL AND NOT w.app_echo THEN w.app_digest END AS app_digest,
                CASE WHEN p.link_id IS NULL AND NOT w.ghl_echo THEN w.ghl_digest END AS ghl_digest),
            f.parent, f.how, p.fields, p.items, p.link_id IS NULL AS quiet, {app_cells} AS app_cells
        FROM ({beside}) w LEFT JOIN found_{e} f ON f.link_id = w.link_id LEFT JOIN pending p ON p.link_id = w.link_id
    )
)
"""

_MOVES = (
    "app_digest",
    "ghl_digest",
    "app_cells",
    "ghl_cells",
    "app_modified",
    "ghl_modified",
    "app_edited",
    "ghl_edited",
)
_KNOWN = ("link_id", "app_key", "ghl_key", "parent", "how", *_MOVES)

# What the plan says of the ledger alone; new links that both sides' rows are there for come with their baseline below.
_TOLD = """
CREATE OR REPLACE TABLE told AS
SELECT kind, entity, link_id, source_key, key, parent, because
FROM read_json({path}, format = 'newline_delimited', maximum_object_size = {biggest}, columns = {{
    kind: 'VARCHAR', entity: 'VARCHAR', link_id: 'VARCHAR', source_key: 'VARCHAR', key: 'VARCHAR', parent: 'VARCHAR', because: 'VARCHAR'}})
WHERE kind IN ('adopt', 'forget') AND {approved}
"""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a settlement did: the generation it made, links advanced, new links, links forgotten."""

    generation: int
    advanced: int
    linked: int
    forgotten: int


def advance_from_snapshots(
    stage: Stage, ledger: Ledger, connection: Connection, mapped: EntityMap, *, run_id: str
) -> tuple[int, int]:
    """Move the baseline of looked-at links to what both sides showed, except where something is still to be done or decided.

    Returns (links advanced, links new). Links that lost an end only count their absence.
    """
    entity = mapped.entity
    stage.run(_PENDING.format(e=entity))
    blank = _blank_link(entity, run_id) | {"codecs": mapped.codecs}
    constant = {name: value for name, value in blank.items() if name not in _KNOWN}
    wanted = [*_KNOWN, *(f"{_constant(value)} AS {name}" for name, value in constant.items())]
    fresh = (
        "fresh AND link_id IN (SELECT link_id FROM approved)"
        if _has(stage, "approved")
        else "fresh"
    )
    linked = ledger.insert_links(
        connection, [*_KNOWN, *constant], _advanced(stage, mapped, wanted, of=fresh)
    )
    advanced = 0
    for batch in _advanced(stage, mapped, ["link_id", *_MOVES], of="NOT fresh"):
        connection.execute(_UPDATE, [_moved_link(ledger.pair, mapped, row) for row in batch])
        advanced += len(batch)
    _both_are_there(stage, ledger, connection, entity)
    for side in Side:
        missing = f"SELECT link_id, runs FROM absence_{entity} WHERE gone = '{side}' AND action NOT IN ('not_checked', 'follow')"
        table = schema.link
        update = (
            sa.update(table)
            .where(
                table.c.pair == ledger.pair,
                table.c.entity == entity.value,
                table.c.link_id == sa.bindparam("named"),
            )
            .values({f"{side}_absent": sa.bindparam("runs"), f"{side}_digest": None})
        )
        for batch in stage.stream(missing):
            connection.execute(
                update, [{"named": link_id, "runs": runs} for link_id, runs in batch]
            )
    restored.mark(stage, ledger, connection, entity)
    return advanced, linked


def _both_are_there(stage: Stage, ledger: Ledger, connection: Connection, entity: Entity) -> None:
    """Begin to count anew how often an end was missing, where nothing is compared although both ends are there."""
    link = schema.link
    mine = (
        link.c.pair == ledger.pair,
        link.c.entity == entity.value,
        link.c.link_id == sa.bindparam("named"),
    )
    update = sa.update(link).where(*mine).values(app_absent=0, ghl_absent=0)
    for batch in stage.stream(f"SELECT link_id FROM wide_{entity} WHERE excluded AND NOT fresh"):
        connection.execute(update, [{"named": link_id} for (link_id,) in batch])


_UPDATE = (
    sa.update(schema.link)
    .where(
        schema.link.c.pair == sa.bindparam("in_pair"),
        schema.link.c.entity == sa.bindparam("of_entity"),
        schema.link.c.link_id == sa.bindparam("named"),
    )
    .values(
        {name: sa.bindparam(name) for name in (*_MOVES, "codecs")}
        | {"app_absent": 0, "ghl_absent": 0}
    )
)


def _cells(mapped: EntityMap, side: Side) -> str:
    """SQL for what a side showed, as JSON without nulls; of what is pending the baseline stays.

    Put together as text: json_object, and a patch that drops its nulls, takes 1.4 times as long (measured).
    """
    members = []
    for at, mapped_field in enumerate(mapped.fields, start=1):
        name, now, base = mapped_field.name, f"{side}[{at}]", f"base_{side}[{at}]"
        if mapped_field.by_item:
            listed = "coalesce(from_json({}, '[\"VARCHAR\"]'), [])"
            item = f"{literal(name)} || chr(31) || x"
            kept = f"list_filter({listed.format(now)}, lambda x: NOT coalesce(list_contains(items, {item}), false))"
            still = f"list_filter({listed.format(base)}, lambda x: coalesce(list_contains(items, {item}), false))"
            joined = f"list_sort(list_distinct(list_concat({kept}, {still})))"
            value = f"CASE WHEN items IS NULL THEN {now} WHEN len({joined}) > 0 THEN to_json({joined})::VARCHAR END"
        else:
            value = f"CASE WHEN list_contains(fields, {literal(name)}) THEN {base} ELSE {now} END"
        members.append(f"{literal(json.dumps(name) + ':')} || to_json({value})::VARCHAR")
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"


def _advanced(
    stage: Stage, mapped: EntityMap, wanted: Sequence[str], *, of: str
) -> Iterator[list[tuple[object, ...]]]:
    """Batches of the looked-at links `of` a kind, with what both sides showed."""
    cells = {f"{side}_cells": _cells(mapped, side) for side in Side}
    for part in beside(stage, mapped.entity, where=f"NOT excluded AND {of}"):
        yield from stage.stream(
            _ADVANCED.format(e=mapped.entity, wanted=", ".join(wanted), beside=part, **cells)
        )


def _constant(value: object) -> str:
    return (
        str(value) if isinstance(value, int) else literal(value if isinstance(value, str) else None)
    )


def _moved_link(pair: str, mapped: EntityMap, row: Sequence[object]) -> dict[str, object]:
    about = {"in_pair": pair, "of_entity": mapped.entity.value, "codecs": mapped.codecs}
    return dict(zip(("named", *_MOVES), row, strict=True)) | about


def _blank_link(entity: Entity, run_id: str) -> dict[str, Any]:
    times = {
        f"{side}_{what}": None
        for side in Side
        for what in ("modified", "written", "edited", "digest")
    }
    absent = {f"{side}_absent": 0 for side in Side}
    return {
        "entity": entity.value,
        "since_run": run_id,
        "parent": None,
        "app_cells": "{}",
        "ghl_cells": "{}",
        "codecs": None,
        **times,
        **absent,
    }


# what the sides said to our writes -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Page:
    """Link rows being changed, by (entity, link_id)."""

    rows: dict[tuple[Entity, str], dict[str, Any]] = field(default_factory=dict)
    codecs: Mapping[Entity, str] = field(default_factory=dict)


def settle_operations(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: differences.Source,
    codecs: Mapping[Entity, str] | None,
) -> tuple[int, int]:
    """Bring what done operations changed into the ledger, and what sides dropped of it into the register.

    Returns (links new, links forgotten). `codecs` say by what the run's values are canonical. It needs nothing but the journal,
    so that a run that was killed is settled by the next one, without `codecs`: those, and what it had seen before it wrote,
    nobody knows then. A link is dropped before anything is made: a record may be deleted to be made again under the same link.
    """
    entries = journal.entries()
    linked = forgotten = 0
    while batch := list(islice(entries, _BATCH)):
        done = [
            (o, outcome)
            for o, outcome in batch
            if outcome.status is Status.DONE or outcome.code == "EXISTS"
        ]
        dropped = {(_entity(o).value, o.link_id): None for o, _ in done if o.kind in _DROPPING}
        forgotten += ledger.bury_links(connection, list(dropped), at=source.at)
        done = [
            (o, outcome)
            for o, outcome in done
            if o.kind is OpKind.CREATE or (_entity(o).value, o.link_id) not in dropped
        ]
        done, vacated = claims.settle(ledger, connection, done)
        forgotten += ledger.bury_links(connection, vacated, at=source.at)
        page = _Page(_load(ledger, connection, [operation for operation, _ in done]), codecs or {})
        for operation, outcome in done:
            linked += _settle_one(
                page, operation, outcome, run_id=source.run_id, seen=codecs is not None
            )
        ledger.put_links(connection, list(page.rows.values()))
        apart = (
            each
            for operation, outcome in done
            for each in differences.dropped(operation, outcome, source)
        )
        differences.put(ledger, connection, apart)
    return linked, forgotten


def _load(
    ledger: Ledger, connection: Connection, operations: Iterable[Operation]
) -> dict[tuple[Entity, str], dict[str, Any]]:
    wanted: dict[Entity, list[str]] = {entity: [] for entity in RECORDS}
    for operation in operations:
        wanted[_entity(operation)].append(operation.link_id)
    found: dict[tuple[Entity, str], dict[str, Any]] = {}
    table = schema.link
    for entity, link_ids in wanted.items():
        query = sa.select(table).where(
            table.c.pair == ledger.pair,
            table.c.entity == entity.value,
            table.c.link_id.in_(link_ids),
        )
        for row in connection.execute(query).mappings():
            found[entity, row["link_id"]] = {
                name: value for name, value in row.items() if name != "pair"
            }
    return found


def _entity(operation: Operation) -> Entity:
    return Entity.CONTACT if operation.entity is Entity.TAG else operation.entity


def _settle_one(
    page: _Page, operation: Operation, outcome: Outcome, *, run_id: str, seen: bool
) -> int:
    """Change one link on the page; 1 where it is new."""
    name = (_entity(operation), operation.link_id)
    row = None if operation.kind is OpKind.CREATE else page.rows.get(name)
    new = row is None
    side, other = operation.side, operation.side.other
    if row is None:
        if outcome.key is None and operation.key is None:
            return 0
        row = _blank_link(name[0], run_id) | {
            "link_id": operation.link_id,
            f"{side}_key": outcome.key or operation.key,
            f"{other}_key": operation.source_key,
            "parent": operation.parent,
            "how": "created by this job" if operation.kind is OpKind.CREATE else "linked",
            "codecs": page.codecs.get(name[0]),
        }
        page.rows[name] = row
    mine, theirs = (json.loads(row[f"{at}_cells"]) for at in (side, other))
    _bring(operation, outcome, mine, theirs)
    row[f"{side}_cells"], row[f"{other}_cells"] = _packed(mine), _packed(theirs)
    row[f"{side}_digest"] = None
    row[f"{side}_written"] = outcome.settled_at
    _time(row, side, operation, outcome, seen=seen)
    return int(new)


def _time(
    row: dict[str, Any], side: Side, operation: Operation, outcome: Outcome, *, seen: bool
) -> None:
    """Note when our write changed the record; where the side told no time, when a person last did is not known any more.

    Nor is it where the run did not come to settle what it had `seen` before it wrote.
    """
    ours = _moment(outcome.modified_at)
    row[f"{side}_modified"] = max(filter(None, (row[f"{side}_modified"], ours)), default=None)
    if operation.kind is OpKind.CREATE:
        row[f"{side}_edited"] = ours
    elif ours is None or not seen:
        row[f"{side}_edited"] = None


def _moment(text: str | None) -> str | None:
    """A side's instant in the one form that staged rows have, which sorts as text; None where it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (
        moment.replace(tzinfo=moment.tzinfo or UTC)
        .astimezone(UTC)
        .strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        + "Z"
    )


def _bring(
    operation: Operation, outcome: Outcome, mine: dict[str, Cell], theirs: dict[str, Cell]
) -> None:
    """What the operation's side (mine) and the other side (theirs) are now known to hold, of what the operation changed.

    Only that: another field of the same reply may show a third party's edit, which the next run must still see as one; or,
    after a create, what the side gave the record by itself (a default, its date), which the other side does not have yet.
    """
    if operation.kind is OpKind.CREATE:
        if outcome.status is Status.DONE:
            mine |= _stored(operation.after, outcome.after or {})
            # What was not sent (it cannot be read, or comes from the other side) is agreed by nobody yet.
            theirs |= {
                name: cell for name, cell in operation.source.items() if name in operation.after
            }
        return
    if operation.kind in (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS):
        named = set(json.loads(operation.after[TAGS] or "[]"))
        told = (
            None
            if outcome.after is None or TAGS not in outcome.after
            else set(json.loads(outcome.after[TAGS] or "[]"))
        )
        adding = operation.kind is OpKind.ADD_TAGS
        mine[TAGS] = _tags(
            mine.get(TAGS),
            named if told is None else named & told if adding else named - told,
            adding=adding,
        )
        theirs[TAGS] = _tags(theirs.get(TAGS), named, adding=adding)
        return
    for name, cell in operation.after.items():
        shown = (outcome.after or {}).get(name, cell)
        if name in operation.source:
            changed = (operation.before.get(name), cell)
            mine[name], theirs[name] = (
                _merged(mine.get(name), changed, shown),
                _merged(theirs.get(name), changed, cell),
            )
        else:
            mine[name], theirs[name] = shown, cell


def _merged(known: Cell, changed: tuple[Cell, Cell], told: Cell) -> Cell:
    """A set as it is known, with those elements changed that an operation changed and that are told to be so.

    Not the whole set that was sent: what else is in it is of another operation, or still to be decided.
    """
    there, before, after, shown = (
        set(json.loads(cell or "[]")) for cell in (known, *changed, told)
    )
    items = sorted((there | ((after - before) & shown)) - ((before - after) - shown))
    return line(items) if items else None


def _stored(sent: Cells, told: Cells) -> dict[str, Cell]:
    """What a side holds of what was sent: as it told, and of tags those alone that were sent."""
    stored = {name: told.get(name, cell) for name, cell in sent.items()}
    if TAGS in sent and TAGS in told:
        both = set(json.loads(sent[TAGS] or "[]")) & set(json.loads(told[TAGS] or "[]"))
        stored[TAGS] = _tags(None, both, adding=True)
    return stored


def _tags(cell: Cell, named: set[str], *, adding: bool) -> Cell:
    there = set(json.loads(cell or "[]"))
    tags = sorted(there | named if adding else there - named)
    return line(tags) if tags else None


def _packed(cells: dict[str, Cell]) -> str:
    return line({name: cell for name, cell in cells.items() if cell is not None})


def tell_links(stage: Stage, plan: Path, *, approved: Collection[str] | None = None) -> None:
    """Create `told`: the links that the plan file makes and forgets.

    Of a part, those alone that it is about: `approved` links, which also stand in the table of that name.
    """
    condition = "true"
    stage.run("DROP TABLE IF EXISTS approved")
    if approved is not None:
        stage.fill(
            "approved", [("link_id", "VARCHAR")], [[(link_id,) for link_id in sorted(approved)]]
        )
        condition = "link_id IN (SELECT link_id FROM approved)"
    told = {"path": literal(str(plan)), "approved": condition}
    try:
        stage.run(_TOLD.format(biggest=_USUAL_LINE, **told))
    except (
        duckdb.InvalidInputException
    ):  # DuckDB sets aside a multiple of what a line may have at most
        stage.run(_TOLD.format(biggest=_BIGGEST_LINE, **told))


def settled_links(
    stage: Stage, ledger: Ledger, connection: Connection, *, run_id: str, at: str
) -> int:
    """Forget and adopt what `told` says of the ledger alone. Returns how many links were forgotten.

    A link whose two records were compared is left to `advance_from_snapshots`, which knows its baseline.
    """
    named = stage.rows("SELECT entity, link_id FROM told WHERE kind = 'forget' ORDER BY ALL")
    forgotten = ledger.bury_links(
        connection, [(str(entity), str(link_id)) for entity, link_id in named], at=at
    )
    for entity in RECORDS:
        compared = (
            f"SELECT link_id FROM wide_{entity} WHERE fresh AND NOT excluded"
            if _has(stage, f"wide_{entity}")
            else "SELECT NULL"
        )
        rest = (
            f"SELECT link_id, source_key, key, parent, because FROM told ANTI JOIN ({compared}) c(link_id) USING (link_id) "
            f"WHERE kind = 'adopt' AND entity = {literal(entity)} ORDER BY link_id"
        )
        names = ("link_id", "app_key", "ghl_key", "parent", "how")
        for batch in stage.stream(rest):
            ledger.add_links(
                connection,
                [_blank_link(entity, run_id) | dict(zip(names, row, strict=True)) for row in batch],
            )
    return forgotten


def _has(stage: Stage, table: str) -> bool:
    return (
        stage.count(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {literal(table)}") > 0
    )
