"""Brings into the ledger what both sides' contacts are known by, as this run read them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.engine import Connection

from reconcile.ledger import known
from reconcile.ledger.ledger import Ledger
from reconcile.link.cells import make_known
from reconcile.link.identity import make_further, match_rules
from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_BATCH = 5_000


def settle(
    stage: Stage,
    ledger: Ledger,
    connection: Connection,
    mapped: EntityMap,
    *,
    before: str | None,
    fresh: str,
) -> str | None:
    """Remember by what this run's contacts would be found; returns the salt of what is known.

    None: not everybody's is known. `before` is the salt so far, `fresh` one for a new beginning.
    That takes a run which read all of both sides, and sides that date every record: who was changed
    since then cannot be asked for else.
    """
    read = [stage.snapshots[mapped.entity, side] for side in Side]
    whole = all(each.complete and not each.partial for each in read)
    if any(each.quarantined for each in read):
        return None  # such a one may be known by something else by now
    trusted = bool(stage.some("trusted WHERE trusted"))
    if not _dated(stage, mapped):
        known.clear(ledger, connection)
        return None
    if before is not None and trusted:
        _renew(stage, ledger, connection, mapped, before, whole=whole)
        sufficient = all(each.complete or not each.partial for each in read)
        return before if sufficient else None
    if not whole:
        return None
    known.clear(ledger, connection)
    for side in Side:
        _make_worths(stage, mapped, side, fresh, everybody=True)
        known.add(ledger, connection, side, stage.stream(f"FROM worth_{side}"))
        stage.drop(f"worth_{side}")
    return fresh


def _dated(stage: Stage, mapped: EntityMap) -> bool:
    undated = (f"raw_{mapped.entity}_{side} WHERE modified_at IS NULL" for side in Side)
    return not stage.some(*undated)


def _make_worths(
    stage: Stage, mapped: EntityMap, side: Side, salt: str, *, everybody: bool
) -> None:
    """Create `worth_s` of the rows that were looked into, or of everybody."""
    entity, rules = mapped.entity, match_rules(mapped)
    make_further(stage, mapped, side)
    tables = ["cell"]
    if everybody:
        stage.make("link/uncelled", entity=entity, side=side)
        names: Collection[str] = {name for rule in mapped.match for name in rule}
        make_known(stage, mapped, side, rows=f"uncelled_{side}", names=names)
        tables.append("known")
    stage.make(
        "link/worths",
        entity=entity,
        side=side,
        rules=rules,
        salt=salt,
        length=known.LENGTH,
        tables=tables,
    )
    stage.drop(f"uncelled_{side}", f"known_{entity}_{side}")


def _renew(
    stage: Stage,
    ledger: Ledger,
    connection: Connection,
    mapped: EntityMap,
    salt: str,
    *,
    whole: bool,
) -> None:
    """Bring those up to date that were looked into; after a whole reading, forget who is gone."""
    columns = [("key", "VARCHAR"), ("worth", "VARCHAR")]
    for side in Side:
        _make_worths(stage, mapped, side, salt, everybody=False)
        looked_into = stage.stream(f"SELECT key FROM cell_{mapped.entity}_{side}", _BATCH)
        former = (
            known.of_keys(ledger, connection, side, [str(key) for (key,) in keys])
            for keys in looked_into
        )
        stage.fill("worth_before", columns, former)
        gone = stage.stream(f"FROM worth_before EXCEPT FROM worth_{side}")
        known.remove(ledger, connection, side, gone)
        new = stage.stream(f"FROM worth_{side} EXCEPT FROM worth_before")
        known.add(ledger, connection, side, new)
        stage.drop("worth_before", f"worth_{side}")
        if whole:
            _forget_gone(stage, ledger, connection, mapped, side)


def _forget_gone(
    stage: Stage, ledger: Ledger, connection: Connection, mapped: EntityMap, side: Side
) -> None:
    """Forget those without a link that are there no more; a linked one goes with its link."""
    strangers = known.strangers(ledger, connection, side)
    if strangers:
        rows = [(key,) for key in sorted(strangers)]
        stage.fill("known_before", [("key", "VARCHAR")], [rows])
        there = f"raw_{mapped.entity}_{side}"
        lost = stage.rows(f"FROM known_before WHERE key NOT IN (SELECT key FROM {there})")
        known.forget(ledger, connection, side, {str(key) for (key,) in lost})
        stage.drop("known_before")
