"""The neighbourhood of new contacts.

All that they may be equal to, so that matching it gives what a whole run would give.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconcile.entities import OWNER
from reconcile.ledger import known
from reconcile.link.cells import make_cells
from reconcile.link.identity import identities, make_further, match_rules
from reconcile.model import Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

Keys = Mapping[Side, Collection[str]]
"""Keys of contacts, by side."""

Near = dict[Side, set[str]]
"""The same, of a neighbourhood."""


def neighbourhood(stage: Stage, mapped: EntityMap, keys: Keys, fresh: Keys) -> Near:
    """`keys`, with all that share an identity with one of the `fresh` contacts.

    What shares one with those is added as well, and so on, and so are the other ends of all.

    Of both sides' contacts all have to be staged that may be near. No match rule relates contacts
    of two neighbourhoods: see docs/adr/0020-a-delta-asks-by-what-contacts-are-known-by.md.
    """
    _spread(stage, mapped, fresh)
    for side in Side:
        stage.make("link/near_ends", entity=mapped.entity, side=side)
    near = _near(stage)
    return {side: {*near[side], *keys[side]} for side in Side}


def worths(stage: Stage, mapped: EntityMap, fresh: Keys, *, salt: str) -> tuple[Near, set[str]]:
    """Of what is staged, the `fresh` contacts and all that share an identity with one, and so on.

    With it what all of these are known by, as the ledger keeps it: others may be, too.
    """
    for side in Side:
        make_cells(stage, mapped, side)
    near = _spread(stage, mapped, fresh)
    names = [rule.name for rule in match_rules(mapped)]
    rows = stage.rows(render("link/near_identities"))
    return near, {known.worth(salt, names[int(str(rule))], str(worth)) for rule, worth in rows}


def _spread(stage: Stage, mapped: EntityMap, fresh: Keys) -> Near:
    """Create `near` (side, key): the fresh ones, and what shares an identity with one that is."""
    _make_known_by(stage, mapped)
    rows = sorted((side.value, key) for side, those in fresh.items() for key in those)
    stage.fill("near", [("side", "VARCHAR"), ("key", "VARCHAR")], [rows])
    before = -1
    while (size := stage.count("SELECT count(*) FROM near")) > before:
        before = size
        stage.make("link/near_alike")
    return _near(stage)


def _near(stage: Stage) -> Near:
    near: Near = {side: set() for side in Side}
    for at, key in stage.rows("SELECT side, key FROM near"):
        near[Side(str(at))].add(str(key))
    return near


def _make_known_by(stage: Stage, mapped: EntityMap) -> None:
    stage.make("link/known_by")
    for side in Side:
        make_further(stage, mapped, side)
    for number, rule in enumerate(mapped.match):
        for side in Side:
            everyone = identities(mapped, side, rule, rows="cell")
            stage.make("link/known_by_rule", rule=number, side=side, identities=everyone)


def keep_only(stage: Stage, keys: Keys) -> None:
    """Leave only these contacts in the stage, as what a partial read of them would have given."""
    for side in Side:
        rows = [(key,) for key in sorted(keys[side])]
        cover = f"cover_{OWNER}_{side}"
        stage.fill(cover, [("key", "VARCHAR")], [rows])
        stage.run(f"DELETE FROM raw_{OWNER}_{side} WHERE key NOT IN (SELECT key FROM {cover})")
        count = stage.count(f"SELECT count(*) FROM raw_{OWNER}_{side}")
        whole = stage.snapshots[OWNER, side]
        part = replace(whole, rows=count, partial=True, reported_total=None)
        stage.snapshots[OWNER, side] = part


def note_looked(stage: Stage, side: Side, keys: Collection[str]) -> None:
    """Note that these new contacts were looked for on the other side, all of which was read."""
    for key in sorted(keys):
        stage.rows("INSERT INTO looked VALUES (?, ?, ?)", OWNER.value, side.value, key)
