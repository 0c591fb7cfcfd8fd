"""Which contacts a delta run is about, and both sides' records of just those.

What changed, what is linked to it, what may equal it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from flows.run import Run
from flows.scope import Named, Sought
from flows.steps import near
from reconcile import pipeline
from reconcile.baseline import differences
from reconcile.baseline.standing import load_standing
from reconcile.entities import ALONE, OWNER
from reconcile.errors import Transient
from reconcile.ledger import hints
from reconcile.link import focused, suggestions
from reconcile.link.link import load_base
from reconcile.model import Entity, Side
from reconcile.plan import references
from reconcile.ports import Scope
from reconcile.values.mapping import Mapping

log = logging.getLogger("flows.steps.focus")


@dataclass(slots=True)
class Focus:
    """Keys of the contacts that a run is about, by side.

    `fresh` are those of them that no link knows.

    `nowhere` are the records that were named and that neither their side nor the ledger knows.
    `changed` are the sides of which all contacts are staged that changed since the watermark.
    `unread` says of each contact that changed and could not be read why.
    """

    keys: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    fresh: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    nowhere: list[Named] = field(default_factory=list)
    changed: set[Side] = field(default_factory=set)
    unread: dict[Side, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.keys.values()))


# what changed -------------------------------------------------------------------------------------


def find(run: Run, sought: Sought, *, since: dict[Side, str]) -> Focus:
    """The contacts that were named or changed since then, with their other ends.

    A contact changed also where one of its tasks or notes did.
    """
    focus = Focus()
    for mapped in run.mapping.entities:
        load_base(run.stage, run.ledger, mapped.entity)
        differences.load(run.stage, run.ledger, mapped)
    load_standing(run.stage, run.ledger, run.mapping)
    focus.keys[Side.APP] |= set(sought.app)
    focus.keys[Side.GHL] |= set(sought.ghl)
    for mapped in run.mapping.entities:
        entity = mapped.entity
        if entity in ALONE:  # staged whole: see `stage_alone`
            continue
        for side in run.connectors:
            if since:
                focus.keys[side] |= _changed(run, focus, entity, side, since[side])
            named = sought.children(entity, side)
            focus.keys[side] |= _owners(run, focus, entity, side, named)
    if since:
        focus.keys[Side.GHL] |= set(hints.hinted(run.ledger))
    _widen(run, focus)
    log.info("focus", extra={side.value: len(keys) for side, keys in focus.keys.items()})
    return focus


def _changed(run: Run, focus: Focus, entity: Entity, side: Side, since: str) -> set[str]:
    """Contacts whose own row, task or note differs from what was last settled.

    They are among what the side says has changed.

    GHL's notes cannot be asked for by time, and its tasks only all at once (docs/ghl.md#tasks and
    docs/ghl.md#lag).
    """
    if entity.spec.swept and side is Side.GHL:
        return set()
    scope = Scope(since=since)
    if entity.parent and side is Side.GHL:
        scope = Scope()
    proof = near.load(run, entity, side, scope)
    if not proof.complete and not proof.quarantined:
        why = (
            f"which {entity.plural} changed in {side.label} could not be read: "
            f"{proof.why_incomplete}"
        )
        raise Transient(why, remedy="nothing was written; the next look begins where this one did")
    if entity is OWNER:
        focus.unread[side] = proof.quarantined
        if run.stage.snapshots[entity, side].complete:
            focus.changed.add(side)
    return focused.changed(run.stage, entity, side)


def _owners(run: Run, focus: Focus, entity: Entity, side: Side, keys: tuple[str, ...]) -> set[str]:
    """The contacts of named tasks or notes.

    They come from the ledger where they are linked, else from the side itself.
    """
    if not keys:
        return set()
    known = focused.owners(run.stage, entity, side, keys)
    rest = tuple(key for key in keys if key not in known)
    owners = set(known.values())
    if rest:
        proof = near.load(run, entity, side, Scope(keys=rest))
        if proof.complete:
            _note_missing(run, focus, entity, side, rest)
        owners |= set(focused.staged_owners(run.stage, entity, side).values())
    return owners


def _note_missing(run: Run, focus: Focus, entity: Entity, side: Side, keys: Iterable[str]) -> None:
    """Note which of these, that no link knows, their side did not show either."""
    missing = set(keys) - focused.shown(run.stage, entity, side)
    focus.nowhere += [(entity, side, key) for key in sorted(missing)]


def _widen(run: Run, focus: Focus) -> None:
    """Add the other end of each linked contact, and tell which contacts have none."""
    # Of what was named and changed alone: the ends that are added below are known to be linked.
    ends = {side: focused.far_ends(run.stage, side, focus.keys[side]) for side in Side}
    for side in Side:
        focus.keys[side.other] |= {far for far in ends[side].values() if far is not None}
        focus.fresh[side] |= {key for key, far in ends[side].items() if far is None}


# what stands alone --------------------------------------------------------------------------------


def stage_alone(run: Run) -> None:
    """Stage all of what hangs on nothing, as companies: there are few, and one request has many.

    Contacts are compared by what is linked of it, so that has to be known before.
    """
    alone = Mapping(tuple(run.mapping[entity] for entity in ALONE if entity in run.mapping))
    for mapped in alone.entities:
        for side in run.connectors:
            near.load(run, mapped.entity, side, Scope())
    pipeline.link(run.stage, run.ledger, alone, whole=False)
    for mapped in alone.entities:
        references.renew(run.stage, run.mapping, mapped)


# contacts -----------------------------------------------------------------------------------------


def stage_contacts(run: Run, focus: Focus) -> None:
    """Stage the focused contacts of both sides.

    Where one is new, every record that it might equal is staged as well.

    A linked contact is read by its key, and so is what a new one may equal: see `near`.
    """
    run.stage.make("plan/looked")
    _bring_along(run, focus)
    if any(focus.fresh.values()):
        near.stage(run, focus.keys, focus.fresh, changed=focus.changed)
    else:
        for side in run.connectors:
            near.load(run, OWNER, side, Scope(keys=tuple(sorted(focus.keys[side]))))
            run.stage.set_aside(run.mapping[OWNER], side, focus.unread.get(side, ()))
        _prove(run, {side: focus.keys[side] for side in Side})
    for side in Side:
        if run.stage.snapshots[OWNER, side].complete:
            _note_missing(run, focus, OWNER, side, focus.fresh[side])


def _bring_along(run: Run, focus: Focus) -> None:
    """Add whom a question or an answer joins with a new contact: no match rule may show them."""
    along = suggestions.companions(run.ledger, focus.fresh)
    for side in Side:
        ends = focused.far_ends(run.stage, side, along[side])
        focus.keys[side].update(along[side])
        focus.keys[side.other].update(filter(None, ends.values()))


def _prove(run: Run, keys: dict[Side, set[str]]) -> None:
    """Note that these were read by key, so that none of them counts as an echo of an index."""
    for side in Side:
        run.stage.run(f"INSERT INTO proven_{OWNER}_{side} SELECT key FROM raw_{OWNER}_{side}")
        log.debug("read by key", extra={"side": side.value, "contacts": len(keys[side])})


# tasks and notes ----------------------------------------------------------------------------------


def stage_children(run: Run) -> None:
    """Stage all tasks and notes of the focused contacts.

    They are contacts that are there on both sides, or that are about to be created.
    """
    contacts = Mapping((run.mapping[OWNER],))
    pipeline.link(run.stage, run.ledger, contacts, whole=False)
    for entity in OWNER.children:
        if entity not in run.mapping:
            continue
        for side in run.connectors:
            near.load(run, entity, side, Scope(parents=focused.parents(run.stage, side)))
