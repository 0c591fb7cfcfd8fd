"""Which contacts a delta run is about, and both sides' records of just those: what changed, what is linked to it, what may equal it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from flows.run import Run
from flows.scope import Named, Sought
from reconcile import pipeline
from reconcile.baseline import differences
from reconcile.baseline.standing import load_standing
from reconcile.entities import OWNER
from reconcile.errors import Transient
from reconcile.ledger import hints
from reconcile.link import neighbourhood
from reconcile.link.link import load_base
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Proof, Scope, Write
from reconcile.stage.quoting import literal
from reconcile.values.mapping import EntityMap, Mapping

log = logging.getLogger("flows.steps.focus")


@dataclass(slots=True)
class Focus:
    """Keys of the contacts that a run is about, by side; `fresh` are those of them that no link knows.

    `nowhere` are the records that were named and that neither their side nor the ledger knows.
    """

    keys: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    fresh: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    nowhere: list[Named] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.keys.values()))


# what changed ---------------------------------------------------------------------------------------------------------


def find(run: Run, sought: Sought, *, since: dict[Side, str]) -> Focus:
    """The contacts that were named or changed since then, or one of whose tasks or notes was; with their other ends."""
    focus = Focus()
    for mapped in run.mapping.entities:
        load_base(run.stage, run.ledger, mapped.entity)
        differences.load(run.stage, run.ledger, mapped)
    load_standing(run.stage, run.ledger, run.mapping)
    focus.keys[Side.APP] |= set(sought.app)
    focus.keys[Side.GHL] |= set(sought.ghl)
    for mapped in run.mapping.entities:
        for side in run.connectors:
            focus.keys[side] |= _changed(run, mapped.entity, side, since[side]) if since else set()
            focus.keys[side] |= _owners(
                run, focus, mapped.entity, side, sought.children(mapped.entity, side)
            )
    if since:
        focus.keys[Side.GHL] |= set(hints.hinted(run.ledger))
    _widen(run, focus)
    log.info("focus", extra={side.value: len(keys) for side, keys in focus.keys.items()})
    return focus


def _changed(run: Run, entity: Entity, side: Side, since: str) -> set[str]:
    """Contacts whose own row, task or note differs from what was last settled, among what the side says has changed.

    GHL's notes cannot be asked for by time, and its tasks only all at once (docs/ghl.md#tasks and docs/ghl.md#lag).
    """
    if entity.spec.swept and side is Side.GHL:
        return set()
    whole = bool(entity.parent) and side is Side.GHL
    proof = _load(run, entity, side, Scope() if whole else Scope(since=since))
    if not proof.complete and not proof.quarantined:
        why = f"which {entity.plural} changed in {side.label} could not be read: {proof.why_incomplete}"
        raise Transient(why, remedy="nothing was written; the next look begins where this one did")
    owner = "parent" if entity.parent else "key"
    rows = run.stage.rows(
        f"SELECT DISTINCT r.{owner} FROM raw_{entity}_{side} r LEFT JOIN base_{entity} b ON b.{side}_key = r.key "
        f"WHERE NOT r.deleted AND r.{owner} IS NOT NULL AND b.{side}_digest IS DISTINCT FROM r.digest"
    )
    return {str(key) for (key,) in rows}


def _owners(run: Run, focus: Focus, entity: Entity, side: Side, keys: tuple[str, ...]) -> set[str]:
    """The contacts of named tasks or notes: from the ledger where they are linked, else from the side itself."""
    if not keys:
        return set()
    named = ", ".join(literal(key) for key in keys)
    known = run.stage.rows(
        f"SELECT b.{side}_key, o.{side}_key FROM base_{entity} b JOIN base_{OWNER} o ON o.link_id = b.parent "
        f"WHERE b.{side}_key IN ({named})"
    )
    found = {str(owner) for _, owner in known}
    rest = tuple(key for key in keys if key not in {str(key) for key, _ in known})
    if rest:
        proof = _load(run, entity, side, Scope(keys=rest))
        _note_missing(run, focus, entity, side, rest if proof.complete else ())
        told = run.stage.rows(
            f"SELECT DISTINCT parent FROM raw_{entity}_{side} WHERE key IN ({named}) AND parent IS NOT NULL"
        )
        found |= {str(owner) for (owner,) in told}
    return found


def _note_missing(run: Run, focus: Focus, entity: Entity, side: Side, keys: Iterable[str]) -> None:
    """Note which of these, that no link knows, their side did not show either."""
    shown = {
        str(key)
        for (key,) in run.stage.rows(f"SELECT key FROM raw_{entity}_{side} WHERE NOT deleted")
    }
    focus.nowhere += [(entity, side, key) for key in sorted(set(keys) - shown)]


def _load(run: Run, entity: Entity, side: Side, scope: Scope) -> Proof:
    connector = run.connectors[side]
    spooled = run.stage.spool(entity, side, connector.extract(entity, scope), taken_at=run.clock())
    run.stage.load(run.mapping[entity], side, connector.shape(entity), spooled)
    return spooled.proof


def _widen(run: Run, focus: Focus) -> None:
    """Add the other end of each linked contact, and tell which contacts have none."""
    run.stage.fill("focus", [("side", "VARCHAR"), ("key", "VARCHAR")], [_listed(focus.keys)])
    for side in Side:
        far = run.stage.rows(
            f"SELECT {side.other}_key FROM base_{OWNER} b JOIN focus f ON f.side = '{side}' AND f.key = b.{side}_key"
        )
        focus.keys[side.other] |= {str(key) for (key,) in far}
        free = run.stage.rows(
            f"SELECT key FROM focus f WHERE f.side = '{side}' AND NOT EXISTS (FROM base_{OWNER} b WHERE b.{side}_key = f.key)"
        )
        focus.fresh[side] |= {str(key) for (key,) in free}


def _listed(keys: dict[Side, set[str]]) -> list[tuple[str, str]]:
    return sorted((side.value, key) for side, found in keys.items() for key in found)


# contacts -------------------------------------------------------------------------------------------------------------


def stage_contacts(run: Run, focus: Focus) -> None:
    """Stage the focused contacts of both sides; where one is new, every record that it might equal as well.

    A linked contact is read by its key. For a new one both sides are read whole, as only then is it known what it equals
    and whether that is one record or several; of all that was read just the neighbourhood is kept.
    """
    run.stage.make("plan/looked")
    if any(focus.fresh.values()):
        _stage_neighbourhood(run, focus)
    else:
        for side in run.connectors:
            _load(run, OWNER, side, Scope(keys=tuple(sorted(focus.keys[side]))))
        _prove(run, {side: focus.keys[side] for side in Side})
    for side in Side:
        if run.stage.snapshots[OWNER, side].complete:
            _note_missing(run, focus, OWNER, side, focus.fresh[side])


def _stage_neighbourhood(run: Run, focus: Focus) -> None:
    for side in run.connectors:
        _load(run, OWNER, side, Scope())
    read = {side: run.stage.snapshots[OWNER, side] for side in Side}
    whole = {side: snapshot.complete and not snapshot.partial for side, snapshot in read.items()}
    _refresh_late(run, focus)
    mapped = run.mapping[OWNER]
    pipeline.link(run.stage, run.ledger, Mapping((mapped,)), whole=False)
    near = neighbourhood.neighbourhood(run.stage, mapped, focus.keys, focus.fresh)
    neighbourhood.keep_only(run.stage, near)
    for side in Side:
        if whole[side.other]:
            neighbourhood.note_looked(run.stage, side, focus.fresh[side])


def _refresh_late(run: Run, focus: Focus) -> None:
    """Put what a side shows by key in place of what its index shows, and find what the index does not show yet."""
    mapped = run.mapping[OWNER]
    for side, connector in run.connectors.items():
        if not run.described[side].lag_seconds:
            continue
        found = {key: connector.read(OWNER, key) for key in sorted(focus.keys[side])}
        for write in _creates(run, mapped, side.other, focus.fresh[side.other]):
            found |= {record.key: record for record in connector.look(write)}
        run.stage.refresh(mapped, side, found.items())


def _creates(run: Run, mapped: EntityMap, side: Side, keys: Iterable[str]) -> Iterable[Write]:
    """The creates on the other side that these new contacts would lead to: what to look for there."""
    for key in sorted(keys):
        record = run.connectors[side].read(OWNER, key)
        if record is not None and not record.deleted:
            cells = {
                name: cell for name, cell in mapped.decode(record, side).items() if cell is not None
            }
            fields = mapped.encode(cells, side.other)
            yield Write(f"look-{key}", OpKind.CREATE, OWNER, fields=fields)


def _prove(run: Run, keys: dict[Side, set[str]]) -> None:
    """Note that these were read by key, so that none of them counts as an echo of an index."""
    for side in Side:
        run.stage.run(f"INSERT INTO proven_{OWNER}_{side} SELECT key FROM raw_{OWNER}_{side}")
        log.debug("read by key", extra={"side": side.value, "contacts": len(keys[side])})


# tasks and notes ------------------------------------------------------------------------------------------------------

_PARENTS = """
SELECT o.{s}_key FROM owner o JOIN raw_{e}_app a ON a.key = o.app_key JOIN raw_{e}_ghl g ON g.key = o.ghl_key
WHERE NOT a.deleted AND NOT g.deleted
UNION SELECT f.key FROM free_{e}_{s} f JOIN looked l ON l.entity = '{e}' AND l.side = '{s}' AND l.key = f.key
ORDER BY 1
"""


def stage_children(run: Run) -> None:
    """Stage all tasks and notes of the focused contacts that are there on both sides, or that are about to be created."""
    contacts = Mapping((run.mapping[OWNER],))
    pipeline.link(run.stage, run.ledger, contacts, whole=False)
    for entity in OWNER.children:
        if entity not in run.mapping:
            continue
        for side in run.connectors:
            parents = tuple(str(key) for (key,) in run.stage.rows(_PARENTS.format(e=OWNER, s=side)))
            _load(run, entity, side, Scope(parents=parents))


def subjects(run: Run) -> set[str]:
    """What a partial run looked at from both sides: questions about it that did not come up again are answered."""
    found: set[str] = set()
    for mapped in run.mapping.entities:
        e = mapped.entity
        both = f"SELECT link_id FROM base_{e} b SEMI JOIN raw_{e}_app a ON a.key = b.app_key SEMI JOIN raw_{e}_ghl g ON g.key = b.ghl_key"
        searched = f"SELECT key FROM looked WHERE entity = {literal(e)}"
        found |= {str(name) for (name,) in run.stage.rows(f"{both} UNION {searched}")}
    return found
